"""Random flags, segments and contexts that often match one another: hypothesis strategies.

`worlds(portable=True)` stays within what all official SDKs agree on. It leaves out what differs
between Python's and JavaScript's languages: integers above 2^53, floats without a fraction (JSON
`1.0`), regular expressions beyond the common syntax, dates beyond RFC 3339 with milliseconds,
versions beyond semver.org's grammar, equality of lists and objects. And it leaves out where
LaunchDarkly's SDKs for Python and Node.js differ from each other: seed 0, invalid attribute
references and names in them that begin with an escape, bucketing by `kind`, variations that do not
exist, a first share or a segment's share of 0, cycles that several ways lead to.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar, get_args

from hypothesis import strategies as st

from flags.model import (
    FULL_WEIGHT,
    Clause,
    Config,
    Defaults,
    Flag,
    Op,
    Prerequisite,
    Rollout,
    Rule,
    Segment,
    SegmentRule,
    SegmentTarget,
    Serve,
    Snapshot,
    Target,
    Variation,
    WeightedVariation,
)

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

ENVIRONMENT: Final = "production"
FLAGS: Final = tuple(f"flag-{i}" for i in range(5))
SEGMENTS: Final = tuple(f"segment-{i}" for i in range(4))
KINDS: Final = ("user", "org", "device")
KEYS: Final = ("a", "a", "a", "b", "b", "user-42", "ключ", "x:y%z", "😀", " ")
"""Some often, so that contexts are often among the targets."""
HUGE: Final = 10**400
"""More than a float can be."""


@dataclass(frozen=True)
class Topic:
    """An attribute: values of it, what to look for in them, and how."""

    reference: str
    values: tuple[Any, ...]
    ops: tuple[Op, ...]
    wanted: tuple[Any, ...] = ()
    """`values`, if empty."""


_COMPARE: Final[tuple[Op, ...]] = (
    "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual", "in",
)  # fmt: skip
_TEXTS: Final = (
    "free",
    "trial",
    "pro",
    "Pro",
    "é",
    "e\u0301",
    "",
    "ß",
    "😀😁",
    "a\nb",
    "free trial",
)
_WHOLE: Final = (0, 1, -1, 17, 18, 19, 2**53 - 1, -(2**53) + 1)
_DATES: Final = (
    "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.001Z", "2024-01-01T02:00:00+02:00",
    "2023-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
    "2024-02-29T12:00:00-07:30", "not a date", "", 0, 1704067200000, 1704067200001, -1, True,
)  # fmt: skip
_VERSIONS: Final = (
    "1.0.0", "1", "1.0", "1.2", "1.2.3", "1.10.0", "2.0.0-beta", "2.0.0-beta.2", "2.0.0-beta.11",
    "2.0.0-beta.x", "2.0.0", "2.0.0+build.5", "2-rc.1", "0.0.0-0", "v1.0.0", "one", "", 1, True,
)  # fmt: skip
_PATTERNS: Final = (
    "^ann@", "@example[.]com$", "b", "a{2,3}", "(ann|bob)@", "[", "(", "", "[A-Z]+", "n+@e", 7,
)  # fmt: skip
_MAILS: Final = ("ann@example.com", "bob@example.org", "aab", "AAB", "", 7)
_BOOLEANS: Final = (True, False, 0, 1, "true")

_TOPICS: Final = (
    Topic("plan", _TEXTS, ("in", "startsWith", "endsWith", "contains", "matches")),
    Topic("/address/city", _TEXTS, ("in", "startsWith", "contains")),
    Topic("/address/a~1b", _TEXTS, ("in", "endsWith")),
    Topic("/address/x~0~1", _TEXTS, ("in", "endsWith")),
    Topic("größe", (*_WHOLE, 18.5, -0.25, "18"), _COMPARE),
    Topic("/address/geo/lat", (48.5, -0.25, 7, "7"), _COMPARE),
    Topic("since", _DATES, ("before", "after", "in")),
    Topic("app", _VERSIONS, ("semVerEqual", "semVerLessThan", "semVerGreaterThan", "in")),
    Topic("/mail", _MAILS, ("matches",), _PATTERNS),
    Topic("beta", _BOOLEANS, ("in", *_COMPARE)),
)
_ODD_TOPICS: Final = (
    Topic("plan", ("pro\n", "\u2028", "PRO", "x" * 500), ("in", "endsWith", "matches")),
    Topic(
        "größe",
        (18.0, 1e21, 2**53, 2**53 + 1, -(2**63), 10**30, HUGE, -HUGE, 5e-324, -0.0, 1.7e308),
        _COMPARE,
    ),
    Topic(
        "since",
        (
            "2024-01-01T00:00:00z", "2024-01-01t00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01",
            "2024-01-01T00:00:00", "20240101T000000Z", "2024-W01-1T00:00:00Z", "2024-01-01T00Z",
            "2024-01-01T00:00:00.123456789Z", "2024-01-01T00:00:00,5Z", "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z", "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.999999-23:59", "2024-01-01T00:00:00Z\n", "2024-01-01T00:00:00ZZ",
            "2024-01-01Z", "Z", "z", 1704067200000.5, 1e300, HUGE, "٢٠٢٤-01-01T00:00:00Z",
        ),
        ("before", "after", "in"),
    ),
    Topic(
        "app",
        (
            "01.0.0", "1.0.0-01", "1.0.0-", "1.0.0+", "1..0", ".", "1.", "-1", "1.2.3.4", "1.0\n",
            "1\n2.5", "1-beta\n", "1.0.0-" + "9" * 40, "1.0.0-" + "8" * 41, "9" * 5000, "１.0.0",
            "1.0.0-a..b", "1.0.0-α", "2+b", "2.0-rc.1+b", "1.0.0--", "1.0.0-0a", "1.0.0 ",
        ),
        ("semVerEqual", "semVerLessThan", "semVerGreaterThan"),
    ),
    Topic(
        "/mail",
        (*_MAILS, "ann@example.com\n", "٣", "ſ"),
        ("matches",),
        (
            "(?i)ANN", "(?P<n>a)", "(?<n>a)", r"\d", r"\p{L}", "$", r"\Z", "a**", "[[a]", "\\",
            "(?", "a(?i)b", r"(a)\1", "(?s).", "(?x) a  n", "[z-a]", "a{99999999999}", "(?i)s",
            None, ["a"],
        ),
    ),
    Topic("/address/~0~1", _TEXTS, ("in", "endsWith")),
    Topic("list", ([], [1], [True], [None], [[1]], [["free"]], [{"a": 1}]), ("in", "contains")),
    Topic("address", ({}, {"city": "free"}, {"a": True}, {"a": 1}), ("in",)),
)  # fmt: skip
_BUILT_IN: Final = (
    Topic("key", KEYS, ("in", "startsWith", "contains")),
    Topic("/key", KEYS, ("in",)),
    Topic("name", ("Ann", "Bob", "😀"), ("in", "endsWith")),
    Topic("anonymous", (True, False), ("in",)),
    Topic("kind", KINDS, ("in", "startsWith", "matches", "contains")),
    Topic("/kind", KINDS, ("in", "endsWith")),
    Topic("missing", _TEXTS, ("in", "contains")),
    Topic("/kind/user", KINDS, ("in",)),
    Topic("/plan/x", _TEXTS, ("in",)),
)
_INVALID: Final = tuple(
    Topic(reference, _TEXTS, ("in", "contains"))
    for reference in ("", "/", "//", "/a//b", "/plan/", "/a~2b", "/~", "/a~", "/~\n")
)
_ODD_JSON: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -0.0,
    1.0,
    "",
    [],
    {},
    [None],
    [[1], {"a": [True]}],
    {"a": None},
)
_BUCKET_BY: Final = (
    None, "key", "/key", "name", "plan", "größe", "/address/city", "missing", "since", "app",
)  # fmt: skip
_ODD_BUCKET_BY: Final = ("kind", "", "/", "//x", "/a~", "beta", "anonymous", "list", "address")
_WEIGHTS: Final = (1, 100, 1000, 5000, 10_000, 33_333, 50_000, 99_999, FULL_WEIGHT)
_VALUES: Final[tuple[Any, ...]] = (
    True,
    False,
    "off",
    "live",
    0,
    1.5,
    None,
    [1, "a"],
    {"a": {"b": []}},
    "ß😀",
)
_OPS: Final[tuple[Op, ...]] = tuple(op for op in get_args(Op) if op != "segmentMatch")


@dataclass(frozen=True)
class World:
    snapshot: Snapshot
    contexts: tuple[dict[str, Any], ...]
    """As JSON documents."""


@st.composite
def worlds(draw: Draw, portable: bool = False, contexts: int = 6) -> World:
    return _Maker(draw, portable).world(contexts)


class _Maker:
    def __init__(self, draw: Draw, portable: bool) -> None:
        self._draw = draw
        self._portable = portable
        self._topics = _TOPICS if portable else (*_TOPICS, *_ODD_TOPICS)
        self._sought: defaultdict[str, list[Any]] = defaultdict(list)
        """What clauses look for, by attribute: contexts often have it."""
        self._flag_cycles = self._chance(20)
        """Portable worlds with them have one prerequisite for each flag."""

    def world(self, contexts: int) -> World:
        segments = [self._segment(i) for i in range(len(SEGMENTS))]
        flags = [self._flag(i) for i in range(len(FLAGS))]
        snapshot = Snapshot(
            environment=ENVIRONMENT,
            flags={flag.key: flag for flag in flags},
            segments={segment.key: segment for segment in segments},
        )
        return World(snapshot, tuple(self._context() for _ in range(contexts)))

    def _number(self, low: int, high: int) -> int:
        return int(self._draw(_numbers(low, high)))

    def _chance(self, percent: int) -> bool:
        """Percents that shrink away: the rare case is the one with the high number."""
        return self._number(0, 99) >= 100 - percent

    def _odd(self, percent: int) -> bool:
        return not self._portable and self._chance(percent)

    def _one(self, options: Sequence[T]) -> T:
        return options[self._number(0, len(options) - 1)]

    def _some(self, make: Callable[[], T], low: int, high: int) -> tuple[T, ...]:
        return tuple(make() for _ in range(self._number(low, high)))

    def _flag(self, index: int) -> Flag:
        variations = self._number(1, 4)
        return Flag(
            key=FLAGS[index],
            name="",
            kind="multivariate",
            variations=tuple(
                Variation(id=str(i), value=self._one(_VALUES)) for i in range(variations)
            ),
            defaults=Defaults(on_variation=0, off_variation=variations - 1),
            archived=self._chance(4),
            created=0,
            environments={} if self._chance(3) else {ENVIRONMENT: self._config(index, variations)},
        )

    def _config(self, index: int, variations: int) -> Config:
        return Config(
            salt=self._one(("salt", "", "ß")),
            modified=0,
            on=not self._chance(6),
            off_variation=None if self._chance(10) else self._variation(variations),
            fallthrough=self._serve(variations),
            targets=self._some(lambda: self._target(variations), 0, 2),
            rules=self._some(lambda: self._rule(variations), 0, 6),
            prerequisites=self._prerequisites(index),
        )

    def _prerequisites(self, index: int) -> tuple[Prerequisite, ...]:
        if self._flag_cycles:
            others, most = (*FLAGS, "gone"), 1 if self._portable else 3
        else:
            others, most = (*FLAGS[index + 1 :], "gone"), 2
        if not self._chance(20):
            return ()
        return self._some(
            lambda: Prerequisite(key=self._one(others), variation=self._number(0, 1)), 1, most
        )

    def _variation(self, variations: int) -> int:
        return variations + self._number(0, 1) if self._odd(3) else self._number(0, variations - 1)

    def _target(self, variations: int) -> Target:
        return Target(
            context_kind=self._one(KINDS),
            variation=self._variation(variations),
            values=self._some(lambda: self._one(KEYS), 0, 2),
        )

    def _rule(self, variations: int) -> Rule:
        return Rule(
            id=self._one(("r1", "r2", "")),
            clauses=self._clauses(SEGMENTS),
            serve=self._serve(variations),
        )

    def _serve(self, variations: int) -> Serve:
        if self._chance(50):
            return Serve(variation=self._variation(variations))
        return Serve(
            rollout=Rollout(
                kind="experiment" if self._chance(40) else "rollout",
                context_kind=self._one(KINDS),
                bucket_by=self._bucket_by(),
                seed=self._seed(),
                variations=tuple(self._shares(variations)),
            )
        )

    def _seed(self) -> int | None:
        if self._odd(10):
            return self._one((0, -(10**20), 2**63))
        return self._one((None, None, 61, -5, 2**31))

    def _bucket_by(self) -> str | None:
        return self._one(_ODD_BUCKET_BY if self._odd(10) else _BUCKET_BY)

    def _shares(self, variations: int) -> list[WeightedVariation]:
        left = FULL_WEIGHT
        shares: list[WeightedVariation] = []
        while left or not shares:
            weight = 0 if shares and self._chance(10) else min(left, self._one(_WEIGHTS))
            if not shares and self._odd(10):
                weight = 0
            if len(shares) == 4:
                weight = left
            left -= weight
            variation, untracked = self._variation(variations), self._chance(30)
            shares.append(
                WeightedVariation(variation=variation, weight=weight, untracked=untracked)
            )
        return shares

    def _clauses(self, segments: Sequence[str]) -> tuple[Clause, ...]:
        return self._some(lambda: self._clause(segments), 1, 1 if self._chance(60) else 3)

    def _clause(self, segments: Sequence[str]) -> Clause:
        if self._chance(30):
            return self._segment_clause(segments)
        topic = self._topic()
        op = self._one(_OPS) if self._odd(10) else self._one(topic.ops)
        values = self._some(lambda: self._wanted(topic), 0 if self._chance(5) else 1, 3)
        if not topic.wanted:
            self._sought[topic.reference] += values
        return Clause(
            id="",
            context_kind="user" if self._chance(70) else self._one(KINDS),
            attribute=topic.reference,
            op=op,
            values=tuple(v for v in values if not _is_huge(v)),
            negate=self._chance(25),
        )

    def _segment_clause(self, segments: Sequence[str]) -> Clause:
        keys = self._some(lambda: self._one((*segments, *segments, "gone")), 0, 2)
        odd: tuple[Any, ...] = (self._one((1, None, ["segment-0"], {})),) if self._odd(5) else ()
        return Clause(
            id="", attribute="", op="segmentMatch", values=(*keys, *odd), negate=self._chance(25)
        )

    def _topic(self) -> Topic:
        if self._odd(3):
            return self._one(_INVALID)
        return self._one(_BUILT_IN) if self._chance(15) else self._one(self._topics)

    def _wanted(self, topic: Topic) -> Any:
        if self._odd(5):
            return self._one(_ODD_JSON)
        if self._odd(3):
            return self._draw(_ANY_TEXT)
        return self._one(topic.wanted or topic.values)

    def _segment(self, index: int) -> Segment:
        inner = SEGMENTS[index + 1 :] if self._portable or self._chance(70) else SEGMENTS
        return Segment(
            key=SEGMENTS[index],
            name="",
            created=0,
            modified=0,
            salt=self._one(("salt", "")),
            included=self._segment_targets(),
            excluded=self._segment_targets(),
            rules=self._some(lambda: self._segment_rule(inner), 0, 2),
        )

    def _segment_targets(self) -> tuple[SegmentTarget, ...]:
        return self._some(
            lambda: SegmentTarget(
                context_kind=self._one(KINDS), values=self._some(lambda: self._one(KEYS), 0, 2)
            ),
            0,
            2,
        )

    def _segment_rule(self, inner: Sequence[str]) -> SegmentRule:
        weight: int | None = None
        if self._chance(50):
            weight = 0 if self._odd(10) else self._one(_WEIGHTS)
        return SegmentRule(
            id="",
            clauses=self._clauses(inner),
            weight=weight,
            bucket_by=self._bucket_by(),
            rollout_context_kind=self._one(KINDS),
        )

    def _context(self) -> dict[str, Any]:
        if self._chance(50):
            kind = "user" if self._chance(70) else self._one(KINDS)
            return {"kind": kind, **self._individual()}
        kinds = [kind for kind in KINDS if self._chance(70)] or ["org"]
        return {"kind": "multi", **{kind: self._individual() for kind in kinds}}

    def _individual(self) -> dict[str, Any]:
        made: dict[str, Any] = {"key": self._one(KEYS)}
        if self._chance(50):
            made["name"] = self._one(("Ann", "Bob", "😀"))
        if self._chance(30):
            made["anonymous"] = self._chance(50)
        if self._chance(10):
            made["_meta"] = {"privateAttributes": ["plan"]}
        for topic in self._topics:
            if self._chance(70):
                _put(made, topic.reference, self._value(topic))
        return made

    def _value(self, topic: Topic) -> Any:
        sought = self._sought[topic.reference]
        if sought and self._chance(40):
            return self._one(sought)
        if self._odd(4):
            return self._one(_ODD_JSON)
        if self._odd(3):
            return self._draw(_ANY_TEXT)
        if self._chance(20):
            return list(self._some(lambda: self._one(topic.values), 0, 3))
        return self._one(topic.values)


_ANY_TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@cache
def _numbers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


def _is_huge(value: Any) -> bool:
    """Contexts may have such numbers; flags may not, since they would break SDKs."""
    return isinstance(value, int) and abs(value) >= HUGE


def _put(document: dict[str, Any], reference: str, value: Any) -> None:
    """At the place that the reference points to, unless something else is on the way."""
    place: Any = document
    *parents, last = reference.removeprefix("/").split("/")
    for name in parents:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            return
    place[last.replace("~1", "/").replace("~0", "~")] = value


def odd_values() -> tuple[Any, ...]:
    """Every value that attributes have or clauses look for, each once."""
    topics = (*_TOPICS, *_ODD_TOPICS)
    values = [v for topic in topics for v in (*topic.values, *topic.wanted)]
    return tuple({repr(value): value for value in (*values, *_ODD_JSON)}.values())
