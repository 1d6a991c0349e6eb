"""What the controller saw at one tick of one capability: the engine's only input besides the state.

Pure data, made by the controller's shell. A part that did not answer is None: unknown, not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrator.analysis.proportion import Counts
from migrator.analysis.sample import Sample
from migrator.analysis.stats import Counters, Key
from migrator.analysis.verdict import Verdict
from migrator.plan.model import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changed a flag, from the audit log. `via`: words such as `in the dashboard`."""

    by: str
    via: str
    comment: str
    audit_id: str | None

    @property
    def told(self) -> str:
        """Who, how and why, for people."""
        who = " ".join(part for part in (self.by, self.via) if part)
        return f'{who}: "{self.comment}"' if self.comment else who


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFlag:
    """A flag. `weights`: None when its fallthrough is no share of stages.

    `change`: the newest change by someone else since the version that the rollout knows.
    """

    version: int
    on: bool
    weights: tuple[tuple[Stage, int], ...] | None
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The proxy's counters now, and the window of the rollout, if it has one."""

    counters: Counters
    asked: Mapping[Key, int]
    """Requests in the window, by stage and origin."""
    old: Sample
    """The old origin in the window."""
    verdict: Verdict | None
    """None without a window."""
    metrics: Mapping[str, Counts] = field(default_factory=dict)
    """The old origin in the window, by metric of users' own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A gate that is closed. `topic` names it, `why` explains it to people."""

    topic: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The command of the step's entry `entry` ended. `problem`: empty for success."""

    entry: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """A service that is switched off. `broken`: by the controller, and not for good."""

    why: str
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    flag: SeenFlag | None
    figures: Figures | None
    services_off: Mapping[str, Off] | None
    """Needed services that are switched off; None: unknown."""
    ahead: tuple[Closed, ...] = ()
    """What closes the way forward from outside: see ahead.py."""
    ended: Ended | None = None
    webhook: str | None = None
    """What the step's webhook said: empty if it opens the gate; None: it was not asked yet."""
