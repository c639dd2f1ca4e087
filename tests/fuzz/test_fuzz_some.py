"""The first inputs of each kind, in this process: the fuzzer itself runs, and finds what is planted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from configs.errors import UserError
from tests.fuzz import oracle
from tests.fuzz.bench import Bench, Trial, command
from tests.fuzz.mutators import TEXT_CANARY
from tests.fuzz.oracle import judge, smallest
from tests.fuzz.strategies import KINDS, changes_of, made

pytestmark = pytest.mark.slow

INPUTS = {"case_types": 40, "sources": 40, "settings": 20, "certify_tables": 20, "triage_tables": 15,
          "contract_frames": 15, "contract_files": 10, "csv_bytes": 20, "parquet_bytes": 20}  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = Bench(tmp_path_factory.mktemp("fuzz") / "bench")
    yield opened
    opened.close()


@pytest.mark.parametrize("name", INPUTS)
def test_the_first_inputs_of_a_kind_have_no_fault(bench: Bench, name: str) -> None:
    for number in range(INPUTS[name]):
        judged = judge(KINDS[name], number, bench)
        assert not judged.faults, (
            f"python -m tests.fuzz {name} {number}: {judged.said} {judged.faults}"
        )


@pytest.mark.parametrize("name", KINDS)
def test_an_input_is_the_same_one_when_it_is_made_again(name: str) -> None:
    once, again = made(KINDS[name], 3), made(KINDS[name], 3)

    assert once.said == again.said
    assert repr(once.subject) == repr(again.subject)


def test_an_input_without_its_changes_is_sound(bench: Bench) -> None:
    """Otherwise every input would be refused for the same reason."""
    sound: dict[str, tuple[int, ...]] = {
        "case_types": (0,), "sources": (0,), "settings": (0, 4), "contract_frames": (0,),
        "contract_files": (0,), "certify_tables": (0, 3), "triage_tables": (0,),
    }  # fmt: skip
    for name, codes in sound.items():
        kind = KINDS[name]
        judged = judge(kind, 5, bench, without=tuple(range(changes_of(kind, 5))))
        assert judged.said == ()
        assert judged.code in codes, (name, judged.printed)


def _crash() -> None:
    raise KeyError("x")


def _quote() -> None:
    raise UserError(f"the cell {TEXT_CANARY}-12 is no number")


def _log() -> None:
    logging.getLogger("somebody").warning("row %s", f"{TEXT_CANARY}-12")


def _fall_silent() -> None:
    raise SystemExit(2)


def _end_with_one() -> None:
    click.echo("Sorry.")
    raise SystemExit(1)


def _work_for_ever() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        (_crash, "exit code 1"),
        (_quote, "quotes a row in stderr"),
        (_log, "quotes a row in log"),
        (_fall_silent, "says nothing"),
        (_end_with_one, "exit code 1"),
        (_work_for_ever, "takes too long"),
    ],
)
def test_a_planted_fault_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, planted: Callable[[], Any], what: str
) -> None:
    monkeypatch.setattr(oracle, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(Bench, "trial", lambda *_: Trial(lambda: command(planted)))

    judged = judge(KINDS["case_types"], 0, bench)

    assert any(fault.what.startswith(what) for fault in judged.faults), judged.faults


def test_a_sum_that_does_not_come_out_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = made(KINDS["contract_frames"], 0).subject[1]
    lost = '{"rows_in": 6, "admitted": 3, "quarantined": 2}'
    trial = bench.trial(made(KINDS["contract_frames"], 0))
    monkeypatch.setattr(
        Bench, "trial", lambda *_: Trial(lambda: command(lambda: click.echo(lost)), trial.sums)
    )

    judged = judge(KINDS["contract_frames"], 0, bench)

    assert len(frame)
    assert judged.faults[0].what == "a sum of rows does not come out"


def test_the_smallest_input_keeps_the_change_that_matters(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = next(n for n in range(50) if changes_of(KINDS["case_types"], n) == 3)
    matters = made(KINDS["case_types"], number).said[1]

    def trial(_: Bench, one: Any) -> Trial:
        return Trial(lambda: command(_crash if matters in one.said else lambda: None))

    monkeypatch.setattr(Bench, "trial", trial)
    judged = judge(KINDS["case_types"], number, bench)

    assert smallest(KINDS["case_types"], judged, bench).said == (matters,)
