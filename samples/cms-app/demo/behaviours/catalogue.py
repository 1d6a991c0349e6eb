"""The behaviours by name, in the order in which they are played."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from demo.behaviours import apart, clean, crashes, errors, human, quiet, slow, wrong
from demo.behaviours.trial import Trial


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`play` raises DemoFailed when what it waits for does not come."""

    title: str
    play: Callable[[Trial], None]


BEHAVIOURS: Final[Mapping[str, Behaviour]] = MappingProxyType(
    {
        "clean": Behaviour("all capabilities move, every gate on", clean.play),
        "errors": Behaviour("a service answers 5 % errors: rolled back at live 5 %", errors.play),
        "slow": Behaviour("a service's p99 doubles: rolled back", slow.play),
        "wrong": Behaviour("a service answers 200 with wrong data: stopped in shadow", wrong.play),
        "crashes": Behaviour(
            "the controller is killed in every step: the same history", crashes.play
        ),
        "human": Behaviour("a person toggles flags in the middle: the person wins", human.play),
        "apart": Behaviour("two capabilities, one fails: the other one goes on", apart.play),
        "quiet": Behaviour("traffic drops to nothing: holds, then goes on", quiet.play),
    }
)
