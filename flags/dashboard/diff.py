"""What a change did, as a person reads it: subjects, the lines that went, those that came. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from pydantic import ValidationError

from flags.dashboard import words
from flags.model import Config, Flag, Segment, SegmentRule

Facts = dict[str, list[str]]
"""Lines by subject, such as `production: rules`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    subject: str
    removed: tuple[str, ...]
    added: tuple[str, ...]


def of_documents(kind: str, before: str | None, after: str | None) -> list[Difference]:
    """Between two documents of the audit log; None is nothing."""
    if kind == "flag" and before is not None and after is not None:
        with suppress(ValidationError):  # of a model that is older or newer than this one
            return of_flags(Flag.model_validate_json(before), Flag.model_validate_json(after))
    return between(_facts(kind, before), _facts(kind, after))


def of_flags(before: Flag, after: Flag) -> list[Difference]:
    environments = {*before.environments, *after.environments}
    return between(flag_facts(before, environments), flag_facts(after, environments))


def between(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[Difference]:
    """Subjects that differ, in the order of `after`, those that are gone last."""
    found = []
    for subject in dict.fromkeys([*after, *before]):
        old, new = before.get(subject, []), after.get(subject, [])
        removed: list[str] = []
        added: list[str] = []
        for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                removed += old[i:j]
                added += new[k:m]
        if removed or added:
            found.append(Difference(subject=subject, removed=tuple(removed), added=tuple(added)))
    return found


def _facts(kind: str, document: str | None) -> Facts:
    if document is None:
        return {}
    with suppress(ValidationError):
        if kind == "flag":
            flag = Flag.model_validate_json(document)
            return flag_facts(flag, flag.environments)
        if kind == "segment":
            return segment_facts(Segment.model_validate_json(document))
    return {path: [value] for path, value in _flat("", json.loads(document))}


def flag_facts(flag: Flag, environments: Iterable[str]) -> Facts:
    """Of what all share, and of these environments, also where nobody has touched them yet."""
    facts: Facts = {
        "name": [flag.name],
        "description": _optional(flag.description),
        "tags": list(flag.tags),
        "variations": [
            " · ".join(filter(None, (words.label(v.value), v.name, v.description)))
            for v in flag.variations
        ],
        "readable by": [
            who
            for who, may in (
                ("browser SDKs", flag.using_environment_id),
                ("mobile SDKs", flag.using_mobile_key),
            )
            if may
        ],
        "archived": ["yes" if flag.archived else "no"],
        "temporary": ["yes" if flag.temporary else "no"],
        "in new environments": [
            f"on serves {words.variation(flag, flag.defaults.on_variation)}",
            f"off serves {words.variation(flag, flag.defaults.off_variation)}",
        ],
    }
    for key in sorted(environments):
        for subject, lines in _config_facts(flag, flag.config(key)):
            facts[f"{key}: {subject}"] = lines
    return facts


def _config_facts(flag: Flag, config: Config) -> Iterator[tuple[str, list[str]]]:
    yield "state", ["on" if config.on else "off"]
    yield "default rule", [words.served(flag, config.fallthrough)]
    yield "when off", [words.variation(flag, config.off_variation)]
    yield (
        "targets",
        [
            f"{target.context_kind} {value} gets {words.variation(flag, target.variation)}"
            for target in config.targets
            for value in target.values
        ],
    )
    yield (
        "rules",
        [
            " ".join(
                (
                    *([f"{rule.description}:"] if rule.description else []),
                    f"if {words.clauses(rule.clauses)}, serve {words.served(flag, rule.serve)}",
                )
            )
            for rule in config.rules
        ],
    )
    yield "prerequisites", [f"{p.key} (variation {p.variation + 1})" for p in config.prerequisites]
    others = {
        "track events": config.track_events,
        "track events of the default rule": config.track_events_fallthrough,
        "leave out of summaries": config.exclude_from_summaries,
    }
    yield "events", [name for name, is_set in others.items() if is_set]
    yield "check ratio", [str(config.check_ratio)]
    yield "sampling ratio", [str(config.sampling_ratio)]


def segment_facts(segment: Segment) -> Facts:
    return {
        "name": [segment.name],
        "description": _optional(segment.description),
        "tags": list(segment.tags),
        "included": [f"{t.context_kind} {v}" for t in segment.included for v in t.values],
        "excluded": [f"{t.context_kind} {v}" for t in segment.excluded for v in t.values],
        "rules": [segment_rule(rule) for rule in segment.rules],
    }


def segment_rule(rule: SegmentRule) -> str:
    """A rule in words, without its description."""
    share = "" if rule.weight is None else f", {words.share_text(rule.weight)} of them"
    return f"if {words.clauses(rule.clauses)}{share}"


def _optional(text: str) -> list[str]:
    return text.split("\n") if text else []


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}" if path else key, inner)
    else:
        yield path or "value", json.dumps(value, ensure_ascii=False)
