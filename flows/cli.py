"""The `ratchet` command: which commands are there, and which exit code says what went wrong?

The commands stand in `flows/commands/`, one theme a file. Each imports what it needs when it runs,
so that `--help` is instant.
"""

from __future__ import annotations

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

from flows.commands import (
    audit_key,
    brakes,
    cases,
    doctor,
    evidence,
    holds,
    hub,
    loop,
    people,
    record,
    team,
)
from flows.commands.exit_codes import EXIT_GATE, EXIT_INPUT, EXIT_SERVICE
from flows.commands.output import say

_NOT_WRITABLE = frozenset(
    {EACCES, EDQUOT, EEXIST, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS}
)
"""What is wrong with a place where something is to be written, and not with us."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The feedback loop around an auto-deciding risk agent.

    Ratchet widens the auto-decision boundary only when precision and recall are proven on
    selectively labelled data, and rolls back when the proof breaks.

    Exit codes: 0 done, 2 your input, 3 a gate said no, 4 a service is unreachable, 1 our bug.
    """


for _theme in (loop, evidence, hub, brakes, holds, record, people, cases, audit_key, doctor, team):
    for _command in _theme.COMMANDS:
        cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and turn what went wrong into one clear line and an exit code."""
    from configs.errors import GateRefused, ServiceUnreachable, UserError
    from configs.masking import masked
    from flows.adapters.log_masking import mask_logs
    from flows.adapters.private_home import be_private

    be_private()
    mask_logs()
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
    except tuple(codes) as said:
        say(str(said))
        sys.exit(codes[type(said)])
    except OSError as wrong:
        if wrong.errno not in _NOT_WRITABLE:
            _say_our_bug(masked)
        where = wrong.filename or "a disk that this command writes to"
        say(f"{where} cannot be used: {wrong.strerror}. Name another place or free this one.")
        sys.exit(EXIT_SERVICE)
    except Exception:
        _say_our_bug(masked)


def _say_our_bug(masked: Callable[[str], str]) -> NoReturn:
    """A traceback helps whoever mends it; what it quotes may hold a password."""
    sys.stderr.write(masked(traceback.format_exc()))
    sys.exit(1)


if __name__ == "__main__":
    main()
