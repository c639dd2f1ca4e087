"""How do we tell a person that their input cannot be used?"""


class UserError(Exception):
    """What was asked, why not, and what would work; the command line prints it and exits with 2."""


class GateRefused(Exception):
    """A gate said no (a proof is missing, an approval is not there); the command line exits with 3."""


class ServiceUnreachable(Exception):
    """A service or file system did not answer; nothing was changed; the command line exits with 4."""
