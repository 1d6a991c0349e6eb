"""What all workers have learned of parity, added up, as the admin address tells it.

Pure.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from routing.parity.noise import Class, classify, wilson
from routing.parity.tally import COUNTERS, MAX_GROUPS, MAX_SAMPLES, OTHER


def merge_parity(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sum of many workers' tallies, one per capability and access, in a stable order."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for each in documents:
        total = sums.setdefault(
            (each["capability"], each["access"]),
            {
                "capability": each["capability"],
                "access": each["access"],
                "learns_noise": False,
                **dict.fromkeys(COUNTERS, 0),
                "not_compared": {},
                "groups": [],
            },
        )
        total["learns_noise"] |= each["learns_noise"]
        for name in COUNTERS:
            total[name] += each[name]
        for why, count in each["not_compared"].items():
            total["not_compared"][why] = total["not_compared"].get(why, 0) + count
        total["groups"] = _merge_groups((*total["groups"], *each["groups"]))
    return [sums[key] for key in sorted(sums)]


def _merge_groups(groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for each in groups:
        key = each["path"], each["kind"]
        if key not in sums and len(sums) > MAX_GROUPS:
            key = OTHER
        total = sums.setdefault(
            key, {"path": key[0], "kind": str(key[1]), "count": 0, "noise": 0, "samples": []}
        )
        total["count"] += each["count"]
        total["noise"] += each["noise"]
        if key != OTHER:
            total["samples"] = [*total["samples"], *each["samples"]][:MAX_SAMPLES]
    return list(sums.values())


def parity_report(merged: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """With a class and an id for each group, the most telling ones first, and the rate of pairs
    that agree (null of none) between its bounds."""
    return [_capability(each) for each in merged]


def counters(merged: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the controller's gate needs: the counters, and the group that differs most for real."""
    return [_counters(each) for each in parity_report(merged)]


def _counters(each: Mapping[str, Any]) -> dict[str, Any]:
    real = (group for group in each["groups"] if group["class"] is Class.REAL)
    most = next(real, None)
    return {
        **{name: each[name] for name in ("capability", "access", *COUNTERS)},
        "most": None if most is None else {name: most[name] for name in ("id", "path", "kind")},
    }


def _capability(each: Mapping[str, Any]) -> dict[str, Any]:
    compared, agree = each["compared"], each["compared"] - each["different"]
    groups = [_group(each, group) for group in each["groups"]]
    groups.sort(key=lambda group: (list(Class).index(group["class"]), -group["count"]))
    low, high = wilson(agree, compared)
    return {
        **each,
        "agree": None if not compared else agree / compared,
        "agree_low": low,
        "agree_high": high,
        "groups": groups,
    }


def _group(each: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    name = "\0".join((each["capability"], each["access"], group["path"], group["kind"]))
    kind = Class.REAL
    if each["learns_noise"]:
        # What several workers have left over may be more than there are pairs.
        count, noise = min(group["count"], each["compared"]), min(group["noise"], each["repeated"])
        kind = classify(count, each["compared"], noise, each["repeated"])
    return {"id": hashlib.sha256(name.encode()).hexdigest()[:8], "class": kind, **group}
