"""The error of an evaluation that only a change of the flag, or of a segment, can help."""

from flags.errors import FlagsError


class Malformed(FlagsError):
    """Never leaves this package: the reason becomes `MALFORMED_FLAG`."""
