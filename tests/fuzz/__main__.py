"""Run inputs again: `python -m tests.fuzz KIND NUMBER`, or all of a kind: `python -m tests.fuzz KIND`."""

import sys
import tempfile
from pathlib import Path

import click

from tests.fuzz.bench import Bench
from tests.fuzz.oracle import judge
from tests.fuzz.strategies import KINDS
from tests.fuzz.worker import try_all


def _one(kind: str, number: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "bench")
        try:
            judged = judge(KINDS[kind], number, bench)
        finally:
            bench.close()
    for change in judged.said:
        click.echo(f"changed: {change}")
    click.echo(
        f"exit code {judged.code} after {judged.seconds:.2f} s of processor time\n{judged.printed}"
    )
    for fault in judged.faults:
        click.echo(f"FAULT {fault.what}\n  {fault.detail}")


def _all(kind: str, first: int = 0, last: int | None = None) -> None:
    told = try_all(kind, first, KINDS[kind].inputs if last is None else last)
    click.echo(
        f"{kind}: {told.inputs} inputs in {told.seconds:.0f} s, ended with {dict(told.codes)}"
    )
    click.echo(told.sentences())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _one(sys.argv[1], int(sys.argv[2]))
    elif len(sys.argv) == 4:
        _all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        for name in sys.argv[1:] or KINDS:
            _all(name)
