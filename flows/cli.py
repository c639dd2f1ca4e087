"""The `ratchet` command: which commands are there, and which exit code says what went wrong?

The commands stand in `flows/commands/`, one theme a file. Each imports what it needs when it runs,
so that `--help` is instant.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from errno import (
    EACCES,
    EDQUOT,
    EEXIST,
    EISDIR,
    ENAMETOOLONG,
    ENOENT,
    ENOSPC,
    ENOTDIR,
    EPERM,
    EROFS,
)
from typing import NoReturn

import click

from flows.commands import evidence, live_road, loop, project, waiting
from flows.commands.exit_codes import EXIT_GATE, EXIT_INPUT, EXIT_SERVICE
from flows.commands.govern import (
    after,
    audit_key,
    brakes,
    cases,
    holds,
    hub,
    people,
    record,
    sprints,
)
from flows.commands.house import backups, doctor, erase, metrics, servers, team
from flows.commands.output import say

_NOT_WRITABLE = frozenset(
    {EACCES, EDQUOT, EEXIST, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS}
)
"""What is wrong with a place where something is to be written, and not with us."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """The feedback loop around an auto-deciding risk agent.

    Ratchet widens the auto-decision boundary only when precision and recall are proven on
    selectively labelled data, and rolls back when the proof breaks.

    Exit codes: 0 done, 2 your input, 3 a gate said no, 4 a service is unreachable, 1 our bug.
    """
    from flows.adapters.alerts.json_logs import log_as_asked

    log_as_asked(context.invoked_subcommand or "")


_THEMES = (
    project, live_road, loop, evidence, hub, brakes, holds, waiting, record, people, cases, audit_key,
    servers, doctor, backups, erase, metrics, team, after, sprints,
)  # fmt: skip
for _theme in _THEMES:
    for _command in _theme.COMMANDS:
        cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and turn what went wrong into one clear line and an exit code."""
    from configs.errors import GateRefused, ServiceUnreachable, UserError
    from configs.masking import masked
    from flows.adapters.alerts.log_masking import mask_logs
    from flows.adapters.files.private_home import be_private

    be_private()
    mask_logs()
    _heed_sigterm()
    codes: dict[type[Exception], int] = {
        UserError: EXIT_INPUT,
        GateRefused: EXIT_GATE,
        ServiceUnreachable: EXIT_SERVICE,
    }
    try:
        cli.main(args=arguments, prog_name="ratchet", standalone_mode=False)
    except click.ClickException as wrong:
        say(wrong.format_message())
        sys.exit(EXIT_INPUT)
    except click.Abort:
        say("Stopped.")
        sys.exit(130)
    except _Terminated:
        say("Stopped.")
        sys.exit(128 + signal.SIGTERM)
    except tuple(codes) as said:
        say(str(said))
        # A kind of one of these ends as it does.
        sys.exit(next(code for kind, code in codes.items() if isinstance(said, kind)))
    except OSError as wrong:
        if wrong.errno not in _NOT_WRITABLE:
            _say_our_bug(masked)
        where = wrong.filename or "a disk that this command writes to"
        say(f"{where} cannot be used: {wrong.strerror}. Name another place or free this one.")
        sys.exit(EXIT_SERVICE)
    except Exception:
        _say_our_bug(masked)


class _Terminated(BaseException):
    """SIGTERM came; everything that was opened is closed on the way out."""


def _heed_sigterm() -> None:
    """End as Ctrl-C ends: a process that SIGTERM kills leaves the servers it had started."""

    def end(*_: object) -> NoReturn:
        raise _Terminated

    with contextlib.suppress(ValueError):  # only the main thread hears signals
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, end)


def _say_our_bug(masked: Callable[[str], str]) -> NoReturn:
    """A traceback helps whoever mends it; what it quotes may hold a password."""
    sys.stderr.write(masked(traceback.format_exc()))
    sys.exit(1)


if __name__ == "__main__":
    main()
