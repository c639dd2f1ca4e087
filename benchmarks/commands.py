"""Give `ratchet` commands in this process, in a home of one's own and at a moment of one's own.

Commands without `--as-of` (approve, promote, decide) ask the clock, and a feed of the past has another
one: while a command runs, `datetime.now` in our own modules answers with the feed's moment.
"""

from __future__ import annotations

import contextlib
import datetime as datetime_module
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_OURS = ("flows", "models", "configs", "data_contracts")


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class Home:
    """A home with its settings, and the people who act there by token."""

    folder: Path
    settings: Mapping[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, *arguments: str, at: datetime, by: str = "") -> Said:
        """Give a command as somebody at a moment; what it says and its exit code come back."""
        from flows.cli import main

        out, err = io.StringIO(), io.StringIO()
        streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with self.environment(by), clock_at(at), streams[0], streams[1]:
            try:
                main(arguments)
                code = 0
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Said(code, out.getvalue(), err.getvalue())

    def enrol(self, name: str, role: str, at: datetime, by: str = "") -> None:
        """Enrol somebody by command and keep their token.

        Raises:
            RuntimeError: the command did not.
        """
        said = self.ask("people", "add", name, "--role", role, at=at, by=by)
        if said.code:
            raise RuntimeError(f"{name} was not enrolled: {said.err}")
        self.tokens[name] = said.out.split("\n\n  ")[1].split("\n")[0]

    @contextlib.contextmanager
    def environment(self, by: str = "") -> Iterator[None]:
        """Only this home's variables, whatever the shell has set."""
        before = dict(os.environ)
        kept = {name: value for name, value in before.items() if not name.startswith("RATCHET_")}
        said = {"RATCHET_HOME": str(self.folder), "RATCHET_ACTOR": by}
        said["RATCHET_TOKEN"] = self.tokens.get(by, "")
        os.environ.clear()
        os.environ.update({**kept, **self.settings, **said})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """Inside, `datetime.now` in our modules is `moment`; everything else about the class stays."""
    _Clock.moment = moment
    patched = [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in _OURS and getattr(module, "datetime", None) is datetime
    ]
    for module in [*patched, datetime_module]:
        module.datetime = _Clock  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in [*patched, *_imported_meanwhile(), datetime_module]:
            module.datetime = datetime  # type: ignore[attr-defined]
        _Clock.moment = None


def _imported_meanwhile() -> list[Any]:
    """A module that was first imported inside keeps no other clock."""
    return [
        module
        for module in list(sys.modules.values())
        if getattr(module, "datetime", None) is _Clock
    ]


class _LooksLikeDatetime(type(datetime)):  # type: ignore[misc]
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, datetime)


class _Clock(datetime, metaclass=_LooksLikeDatetime):
    """`datetime` with another `now`; it makes plain datetimes only."""

    moment: datetime | None = None

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return datetime(*arguments, **named)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        if cls.moment is None:
            return datetime.now(tz)
        return cls.moment.astimezone(tz or UTC)

    fromisoformat = datetime.fromisoformat  # type: ignore[assignment]
    fromtimestamp = datetime.fromtimestamp  # type: ignore[assignment]
    strptime = datetime.strptime  # type: ignore[assignment]
    combine = datetime.combine  # type: ignore[assignment]
