"""What the flag server is told of single requests, beside the counts of evaluations."""

from typing import Annotated

from pydantic import Field

from routing.config.base import Model

Rate = Annotated[float, Field(ge=0, le=1000)]
"""Events a second from each worker; 0: none. Less than one a second is possible."""


class Events(Model):
    """LaunchDarkly's `migration_op` and `index` events."""

    migration_ops: Rate = 50.0
    """Measured requests. Beyond that rate some are chosen at random and say how many they stand
    for."""
    contexts: Rate = 50.0
    """Contexts that were not reported lately; what is beyond that rate is left out."""
    private_attributes: tuple[str, ...] = ()
    """Attributes of contexts, or references such as `/address/street`, whose values stay here."""
