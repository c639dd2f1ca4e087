"""How do we tell a person that their input cannot be used?

What these exceptions say is shown, logged and kept, and may quote an address, so no password and no
signed parameter gets into one.
"""

from configs.masking import masked


class _Said(Exception):
    def __init__(self, said: object = "") -> None:
        super().__init__(masked(str(said)))


class UserError(_Said):
    """What was asked, why not, and what would work; the command line prints it and exits with 2."""


class GateRefused(_Said):
    """A gate said no (a proof is missing, an approval is not there); the command line exits with 3."""


class ServiceUnreachable(_Said):
    """A service or file system did not answer; nothing was changed; the command line exits with 4."""
