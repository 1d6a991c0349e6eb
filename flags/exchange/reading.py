"""Documents that others wrote: whatever is wrong in one is an error with its place."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from flags.errors import Rejected, first_problem


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Whatever cannot be read inside becomes `Rejected`."""
    try:
        yield
    except ValidationError as error:
        raise Rejected(first_problem(error, where)) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected(f"{where}: cannot be read: {type(error).__name__} {error}") from None
