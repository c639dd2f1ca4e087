"""How are many inputs tried so that one which kills the process is named, and the rest go on?

Each worker is a process of its own that notes an input before it tries it; where one dies or hangs,
its last note says on which, and another starts behind it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.oracle import MOST_SECONDS, Fault, Judged, judge, smallest
from tests.fuzz.strategies import KINDS

INPUTS_PER_HOME = 250
_MORE_MEMORY = 4 * 2**30
_QUIET_SECONDS = 12 * MOST_SECONDS


@dataclass
class Tried:
    """What became of the inputs of one kind: how many, how they ended, and the faults by kind."""

    kind: str
    inputs: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    seconds: float = 0.0

    def sentences(self) -> str:
        """Each kind of fault with its smallest input, and how to run that one again."""
        lines = []
        for what, found in sorted(self.faults.items(), key=lambda item: -len(item[1])):
            least = min(found, key=lambda one: (len(one["said"]), len("".join(one["said"]))))
            lines += [
                f"{len(found)} of {self.inputs}: {what}",
                f"    {least['detail']!r}",
                f"    python -m tests.fuzz {self.kind} {least['number']}: {'; '.join(least['said'])}",
            ]
        return "\n".join(lines)


def try_all(kind: str, first: int, last: int, processes: int = 2) -> Tried:
    """Try inputs `first` to `last` (exclusive) of a kind in processes of their own."""
    started = time.monotonic()
    bounds = [first + (last - first) * at // processes for at in range(processes + 1)]
    running = [_Worker(kind, bounds[at], bounds[at + 1]) for at in range(processes)]
    while any(not worker.done for worker in running):
        time.sleep(0.1)
        for worker in running:
            worker.look()
    told = Tried(kind)
    for line in [line for worker in running for line in worker.lines]:
        told.inputs += 1
        told.codes[str(line["code"])] += 1
        for fault in line["faults"]:
            told.faults.setdefault(fault["what"], []).append({**line, "detail": fault["detail"]})
    told.seconds = time.monotonic() - started
    return told


class _Worker:
    """A process that tries a stretch of inputs; started again behind one that kills it."""

    def __init__(self, kind: str, first: int, last: int) -> None:
        self.kind, self.next, self.last = kind, first, last
        self.lines: list[dict[str, Any]] = []
        self.done = first >= last
        if not self.done:
            self._start()

    def look(self) -> None:
        if self.done:
            return
        ended = self._process.poll() is not None
        grown = self._notes.stat().st_size
        if grown != self._size:
            self._size, self._heard_at = grown, time.monotonic()
        hangs = time.monotonic() - self._heard_at > _QUIET_SECONDS
        if hangs and not ended:
            self._process.kill()
            self._process.wait()
        if ended or hangs:
            self._collect(
                "hangs" if hangs else f"the process ended with {self._process.returncode}"
            )

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._notes = Path(self._folder.name) / "notes"
        self._notes.touch()
        self._size, self._heard_at = 0, time.monotonic()
        with (Path(self._folder.name) / "stderr").open("wb") as errors:
            said = [
                "-m",
                "tests.fuzz.worker",
                self.kind,
                str(self.next),
                str(self.last),
                str(self._notes),
            ]
            # Its own place for what libraries print past Python.
            self._process = subprocess.Popen(
                [sys.executable, *said], stdout=errors, stderr=errors, cwd=Path(__file__).parents[2],
                env={**os.environ, "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"},
            )  # fmt: skip

    def _collect(self, how: str) -> None:
        notes = [json.loads(line) for line in self._notes.read_text("utf-8").splitlines()]
        errors = (Path(self._folder.name) / "stderr").read_text("utf-8", "replace")[-2_000:]
        self._folder.cleanup()
        results = [note for note in notes if "code" in note]
        self.lines += results
        self.next += len(results)
        if self.next >= self.last:
            self.done = True
            return
        begun = notes and "code" not in notes[-1]
        if not begun:
            raise RuntimeError(f"the worker did not get as far as input {self.next}: {errors}")
        fault = Fault(f"kills its process ({how})", errors[-300:])
        self.lines.append(
            {
                "number": self.next,
                "code": None,
                "said": notes[-1]["said"],
                "faults": [asdict(fault)],
            }
        )
        self.next += 1
        self.done = self.next >= self.last
        if not self.done:
            self._start()


def work(kind_name: str, first: int, last: int, notes: Path) -> None:
    """Try inputs one after the other; a line before each and one after."""
    from tests.fuzz.bench import Bench

    _bound_memory()
    kind, seen = KINDS[kind_name], set[str]()
    with (
        notes.open("a", encoding="utf-8") as file,
        tempfile.TemporaryDirectory(prefix="fuzz-home-") as home,
    ):
        bench = None
        for number in range(first, last):
            if bench is None or bench.used >= INPUTS_PER_HOME:
                if bench is not None:
                    bench.close()
                bench = Bench(Path(home) / str(number))
            file.write(json.dumps({"number": number, "said": []}) + "\n")
            file.flush()
            judged = judge(kind, number, bench)
            if judged.faults and judged.faults[0].what not in seen:
                seen.add(judged.faults[0].what)
                judged = smallest(kind, judged, bench)
            file.write(json.dumps(_line(judged)) + "\n")
            file.flush()


def _line(judged: Judged) -> dict[str, Any]:
    return {
        "number": judged.number,
        "code": judged.code,
        "said": list(judged.said),
        "seconds": judged.seconds,
        "faults": [asdict(fault) for fault in judged.faults],
    }


def _bound_memory() -> None:
    """What asks for more than this gets a MemoryError, and not the machine's last page."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MORE_MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
