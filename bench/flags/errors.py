"""Why a measurement could not be made. A goal that is missed is a result, not an error."""


class BenchError(Exception):
    """What did not happen, and after how many seconds."""
