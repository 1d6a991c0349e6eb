"""One flag: its switch, its targeting, and how often it is evaluated."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flask import Blueprint, render_template, request

from flags.dashboard.chart import SPANS, chart, since
from flags.dashboard.forms import targeting
from flags.dashboard.forms.serving import ServeDraft, context_kind
from flags.dashboard.pages.changing import Instruct, Refused, change_flag
from flags.dashboard.pages.site import IN_ENVIRONMENT, Answer, Site, environment, project
from flags.errors import NotFound
from flags.model import Flag
from flags.store import now_ms

_FLAG: Final = f"{IN_ENVIRONMENT}/flags/<key>"
_ACTIONS: Final[Mapping[str, Instruct]] = MappingProxyType(
    {
        "switch": lambda form, _flag, _config: targeting.switch(form),
        "default": lambda form, flag, _: targeting.default(form, flag),
        "off-variation": lambda form, _flag, _config: targeting.off_variation(form),
        "targets": lambda form, flag, _: targeting.targets(form, flag),
        "rules": lambda form, _, config: targeting.rule_action(form, config),
        "prerequisites": lambda form, _flag, _config: targeting.prerequisites(form),
    }
)


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(_FLAG)
    def flag(key: str) -> Answer:
        return targeting_page(site, key)

    @ui.post(f"{_FLAG}/change/<action>")
    def change(key: str, action: str) -> Answer:
        instruct = _ACTIONS.get(action)
        if instruct is None:
            raise NotFound(f"there is no form {action!r}")
        return change_flag(
            site,
            key,
            instruct,
            again=lambda error: targeting_page(site, key, Refused.of(action, error)),
            checked=action != "switch",
        )

    @ui.get(f"{_FLAG}/evaluations")
    def evaluations(key: str) -> Answer:
        name = request.args.get("span", "hour")
        span, minute = SPANS.get(name, SPANS["hour"]), now_ms() // 60_000
        counts = site.store.evaluations.by_minute(
            project(), environment().key, key, since(span, minute)
        )
        return render_template(
            "flag_evaluations.html",
            **common(site, site.store.flags.get(project(), key), "evaluations"),
            chart=chart(counts, span, minute),
            spans=SPANS,
        )


def targeting_page(site: Site, key: str, refused: Refused | None = None) -> Answer:
    """What was typed is shown again where it was `refused`."""
    flag = site.store.flags.get(project(), key)
    others = [f for f in site.store.flags.all(project()) if f.key != key and not f.archived]
    page = render_template(
        "flag_targeting.html",
        **common(site, flag, "targeting", refused),
        default=ServeDraft.read(refused.typed, flag)
        if refused is not None and refused.form == "default"
        else ServeDraft.of(flag.config(environment().key).fallthrough, flag),
        others=others,
        by_key={f.key: f for f in others},
        target_kind=context_kind(flag),
        kinds=kinds(site, flag),
    )
    return page if refused is None else (page, refused.status)


def common(site: Site, flag: Flag, tab: str, refused: Refused | None = None) -> dict[str, object]:
    """What the head of each of a flag's pages needs."""
    here = environment().key
    scheduled = site.store.schedule.of(project(), here, flag.key)
    return {
        "flag": flag,
        "config": flag.config(here),
        "tab": tab,
        "scheduled_count": sum(change.problem is None for change in scheduled),
        "elsewhere_on": [
            (other, flag.config(other.key).on)
            for other in site.store.environments.of(project())
            if other.key != here
        ],
        "refused": refused,
        "typed": refused.typed if refused is not None else None,
    }


def kinds(site: Site, flag: Flag | None = None) -> list[str]:
    """Kinds of contexts to choose from: those that were seen, and what the flag names."""
    found = {"user"}
    for context in site.live.recent(project(), environment().key)[:200]:
        found.update(context.kinds)
    if flag is not None:
        found.add(context_kind(flag))
    return sorted(found)
