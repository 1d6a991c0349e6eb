"""What the demonstration saw, judged and drawn. Pure: figures in, findings and tables out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

STAGES = ("off", "dualwrite", "shadow", "live", "rampdown", "complete")
PROMISE_MS = 200.0
"""From a flag's change to the last request at the wrong origin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOff:
    """One flag that was turned off, and how fast every proxy obeyed."""

    what: str
    capability: str
    who: str
    changed_at: float
    """Unix seconds at which the flag server stored the change."""
    last_wrong_at: float
    """Unix seconds of the last decision for the service, in any proxy worker."""
    fault_at: float | None = None
    """Unix seconds at which the fault was injected, if one was."""

    @property
    def lag_ms(self) -> float:
        return max(0.0, self.last_wrong_at - self.changed_at) * 1000


def injected(failure: Mapping[str, Any], switches: Iterable[SwitchOff]) -> bool:
    """Whether a failed request is one that the demonstration broke itself and nobody could repeat.

    That is: not repeatable, and sent after a fault was injected and before it was switched off.
    """
    return not failure["repeatable"] and any(
        s.fault_at is not None and s.fault_at <= failure["at"] <= s.changed_at + PROMISE_MS / 1000
        for s in switches
    )


def findings(report: Mapping[str, Any], switches: Sequence[SwitchOff]) -> list[str]:
    """What contradicts the promise, a sentence each; empty when all is well."""
    found = [
        f"{f['method']} {f['path']} failed: {f.get('status') or f.get('error')}"
        for f in report["failures"]
        if not injected(f, switches)
    ]
    found += [f"{w['path']} was wrong: {w['problem']}" for w in report["wrong_answers"]]
    found += [f"acknowledged write lost: {write}" for write in report["lost_writes"]]
    found += [
        f"{s.what}: a request reached the service {s.lag_ms:.0f} ms after the flag changed"
        for s in switches
        if s.lag_ms > PROMISE_MS
    ]
    return found


def render(
    cells: Sequence[Mapping[str, Any]], report: Mapping[str, Any], switches: Sequence[SwitchOff]
) -> RenderableType:
    return Group(_origins(cells), _clients(report, switches), _switches(switches))


def _origins(cells: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Requests at each stage, by the origin that was asked", box=SIMPLE_HEAD)
    for name in ("capability", "origin"):
        table.add_column(name)
    for name in (*STAGES, "errors", "rescued"):
        table.add_column(name, justify="right")
    for capability in sorted({c["capability"] for c in cells}):
        for origin, shown in (("old", "monolith"), ("new", "services")):
            own = [c for c in cells if (c["capability"], c["origin"]) == (capability, origin)]
            table.add_row(
                capability if origin == "old" else "",
                shown,
                *(_count(sum(c["requests"] for c in own if c["stage"] == s)) for s in STAGES),
                _count(sum(c["errors"] for c in own)),
                _count(sum(c["fallbacks"] for c in own)),
            )
    table.caption = "rescued: the service failed, the monolith answered, the client saw no error"
    return table


def _count(number: int) -> str:
    return str(number) if number else "·"


def _clients(report: Mapping[str, Any], switches: Sequence[SwitchOff]) -> Table:
    broken = sum(1 for f in report["failures"] if injected(f, switches))
    table = Table(title="What clients saw", show_header=False, box=SIMPLE_HEAD)
    for name, value in (
        ("requests", report["requests"]),
        ("failed", len(report["failures"]) - broken),
        ("failed by the injected fault, not repeatable", broken),
        (
            "wrong answers, of those checked",
            f"{len(report['wrong_answers'])} / {report['checked']}",
        ),
        ("acknowledged writes", report["acknowledged_writes"]),
        ("acknowledged writes lost", len(report["lost_writes"])),
        ("latency p50 / p99", "{p50:.0f} ms / {p99:.0f} ms".format(**report["latency_ms"])),
    ):
        table.add_row(name, str(value))
    return table


def _switches(switches: Sequence[SwitchOff]) -> Table:
    table = Table(title="Switched off by one flag", box=SIMPLE_HEAD)
    for name in ("flag", "turned off by"):
        table.add_column(name)
    table.add_column("fault found after", justify="right")
    table.add_column("last request at the service after", justify="right")
    for s in switches:
        table.add_row(
            s.what,
            s.who,
            "" if s.fault_at is None else f"{s.changed_at - s.fault_at:.1f} s",
            f"{s.lag_ms:.0f} ms",
        )
    return table
