"""What did a night do, hold back or fail at, by table and by case type?

Tables and case types stand apart: what fails for one of them holds back only what rests on it
(issue 12). Whatever is not done is told first, and makes the night's exit code 3.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from configs.errors import GateRefused, ServiceUnreachable, UserError

T = TypeVar("T")


class State(StrEnum):
    """DONE: all that was due was done. HELD: something waits, and is named. FAILED: something that
    was due could not be done."""

    DONE = "done"
    HELD = "held"
    FAILED = "failed"


@dataclass(slots=True)
class Result:
    """What became of one table or case type: sentences by how bad they are; what is `told` changes
    nothing (cases that moved, and no promise with them)."""

    held: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    guard: str | None = None

    @property
    def state(self) -> State:
        return State.FAILED if self.failed else State.HELD if self.held else State.DONE

    @property
    def why(self) -> list[str]:
        """What was not done, the failed first."""
        return [*self.failed, *self.held]

    def plain(self) -> dict[str, Any]:
        told: dict[str, Any] = {"state": self.state.value, "why": self.why}
        return told if self.guard is None else {**told, "guard": self.guard}


@dataclass(slots=True)
class NightResults:
    """The results of one night, gathered step by step."""

    tables: dict[str, Result] = field(default_factory=dict)
    case_types: dict[str, Result] = field(default_factory=dict)

    def table(self, name: str) -> Result:
        return self.tables.setdefault(name, Result())

    def case_type(self, name: str) -> Result:
        return self.case_types.setdefault(name, Result())

    @property
    def worst(self) -> State:
        """The worst state of anything in the night."""
        states = {result.state for result in (*self.tables.values(), *self.case_types.values())}
        return next((s for s in (State.FAILED, State.HELD) if s in states), State.DONE)

    def attempt(self, case_type: str, what: str, act: Callable[[], T]) -> T | None:
        """Do one thing for one case type; where it fails, keep why and go on with the others."""
        try:
            return act()
        except Exception as error:
            self.case_type(case_type).failed.append(f"{case_type}: {what}: {why_failed(error)}")
            return None

    def plain(self) -> dict[str, dict[str, Any]]:
        return {
            "tables": {name: one.plain() for name, one in self.tables.items()},
            "case_types": {
                name: {**one.plain(), "told": list(one.told)}
                for name, one in self.case_types.items()
            },
        }


def why_failed(error: Exception) -> str:
    """A sentence on what went wrong. What is no error of ours is a bug: it is logged where it
    happened and named by its type only, as its message may hold a row's value."""
    if isinstance(error, GateRefused | ServiceUnreachable | UserError):
        return str(error)
    where = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger("ratchet").error("%s at:\n%s", type(error).__name__, where)
    return f"{type(error).__name__} (a bug: please report the log of this night)."


def not_done(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every sentence about what is held or failed, the failed first; of plain results."""
    each = [one for group in results.values() for one in group.values()]
    ranked = sorted(each, key=lambda one: one["state"] != State.FAILED.value)
    return list(dict.fromkeys(why for one in ranked for why in one["why"]))


def moved(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every sentence about what moved and ended nothing, of plain results; a night of before has none."""
    each = results.get("case_types", {}).values()
    return [sentence for one in each for sentence in one.get("told", [])]


def states(results: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The names of tables and case types by state, of plain results."""
    found: dict[str, list[str]] = {state.value: [] for state in State}
    for group in results.values():
        for name, one in group.items():
            found[one["state"]].append(name)
    return found


def verdict(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The night in a sentence, what is not done first."""
    by_state = states(results)
    failed, held = by_state[State.FAILED.value], by_state[State.HELD.value]
    if not failed and not held:
        return "Everything was done; nothing is held."
    parts = [f"Failed: {', '.join(failed)}."] * bool(failed)
    parts += [f"Held: {', '.join(held)}."] * bool(held)
    done = by_state[State.DONE.value]
    return " ".join([*parts, f"Done: {', '.join(done) or 'nothing'}."])


def all_done(results: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether nothing failed and nothing is held."""
    return not any(_names(states(results), (State.FAILED, State.HELD)))


def _names(by_state: Mapping[str, list[str]], wanted: Iterable[State]) -> list[str]:
    return [name for state in wanted for name in by_state[state.value]]
