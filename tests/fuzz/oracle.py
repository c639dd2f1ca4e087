"""Did one damaged input make a command crash, fall silent, lose a row, quote one, or take too much?"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.bench import Bench, Trial
from tests.fuzz.mutators import NUMBER_CANARY, TEXT_CANARY
from tests.fuzz.strategies import Kind, changes_of, made

MOST_SECONDS = 10.0
"""Of processor time, for one input; the slowest sound one takes half a second."""
MOST_MEGABYTES = 500
"""By which one input may raise the most memory that the process ever held."""

_PROJECT = Path(__file__).resolve().parents[2]
_CANARY = re.compile(rf"[\w.+-]*(?:{TEXT_CANARY}|{NUMBER_CANARY})[\w.+-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """What is wrong: `what` is the same for faults of one kind, `detail` is this one's."""

    what: str
    detail: str


@dataclass(frozen=True)
class Judged:
    """What became of one input."""

    number: int
    code: int | None
    seconds: float
    said: tuple[str, ...]
    printed: str
    faults: tuple[Fault, ...]


class TooLong(BaseException):
    """An input has used up its processor time."""


def judge(kind: Kind, number: int, bench: Bench, without: tuple[int, ...] = ()) -> Judged:
    """Make an input, give the command, and hold what happened against what may happen."""
    one = made(kind, number, without)
    trial = bench.trial(one)
    before, started = _peak_megabytes(), time.process_time()
    heard = _heard(trial)
    seconds = time.process_time() - started
    faults = list(heard.faults)
    if heard.code is not None:
        faults += _wrong_ending(trial, heard)
        faults += _quoted(trial, heard, bench)
        if not faults and heard.code in (0, 2, 3):
            faults += [
                Fault("a sum of rows does not come out", wrong) for wrong in trial.sums(heard.out)
            ]
    if (grown := _peak_megabytes() - before) > MOST_MEGABYTES:
        faults.append(Fault("takes too much memory", f"{grown:.0f} MB"))
    printed = "\n".join(part for part in (heard.out, heard.err, heard.log) if part.strip())
    return Judged(number, heard.code, seconds, one.said, printed, tuple(faults))


def smallest(kind: Kind, judged: Judged, bench: Bench) -> Judged:
    """The same input with as few of its changes as show the same fault."""
    what = judged.faults[0].what
    without: tuple[int, ...] = ()
    for change in range(changes_of(kind, judged.number)):
        tried = judge(kind, judged.number, bench, (*without, change))
        if any(fault.what == what for fault in tried.faults):
            without, judged = (*without, change), tried
    return judged


@dataclass
class _Heard:
    code: int | None
    out: str
    err: str
    log: str
    faults: tuple[Fault, ...]


def _heard(trial: Trial) -> _Heard:
    out, err, log = io.StringIO(), io.StringIO(), io.StringIO()
    faults: list[Fault] = []
    code: int | None = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _logged(log), _limited():
        try:
            trial.action()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except TooLong:
            faults.append(
                Fault("takes too long", f"more than {MOST_SECONDS:g} s of processor time")
            )
        except (
            BaseException
        ) as crash:  # whatever it is, the person at the terminal sees a traceback
            faults.append(Fault(f"{type(crash).__name__} in {_where(crash)}", _first_line(crash)))
    return _Heard(code, out.getvalue(), err.getvalue(), log.getvalue(), tuple(faults))


def _wrong_ending(trial: Trial, heard: _Heard) -> Iterator[Fault]:
    if heard.code not in trial.codes:
        yield Fault(f"exit code {heard.code}", heard.err[-200:])
    if heard.code and not (heard.out + heard.err).strip():
        yield Fault("says nothing", f"exit code {heard.code}")
    if "Traceback (most recent call last)" in heard.out + heard.err + heard.log:
        yield Fault("prints a traceback", (heard.err + heard.log)[-300:])


def _quoted(trial: Trial, heard: _Heard, bench: Bench) -> Iterator[Fault]:
    """A canary in whatever people read, but for the answer itself and for the header."""
    heard_from = {"stderr": heard.err, "log": heard.log, "an alert or a dossier": bench.home_says()}
    if not (trial.answers and heard.code in (0, 3)):
        heard_from["stdout"] = heard.out
    for where, text in heard_from.items():
        found = [each for each in _CANARY.findall(text) if each not in trial.header]
        if found:
            at = text.find(found[0])
            shape = re.sub(r"\d+", "0", text[max(at - 60, 0) : at]).split("\n")[-1]
            yield Fault(
                f"quotes a row in {where}: {shape[-40:]!r}", text[max(at - 150, 0) : at + 60]
            )


@contextlib.contextmanager
def _logged(log: io.StringIO) -> Iterator[None]:
    """What anybody logs, and every warning."""
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def out_of_time(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _where(crash: BaseException) -> str:
    """The innermost place of our own that the exception came through."""
    ours = [
        frame
        for frame in traceback.extract_tb(crash.__traceback__)
        if Path(frame.filename).is_relative_to(_PROJECT)
        and not Path(frame.filename).is_relative_to(_PROJECT / ".venv")
        and "tests/fuzz" not in frame.filename
    ]
    if not ours:
        return "nothing of ours"
    last = ours[-1]
    return f"{Path(last.filename).relative_to(_PROJECT)}: {last.name}"


def _first_line(crash: BaseException) -> str:
    return (str(crash).split("\n") or [""])[0][:200]


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
