"""What pages call things, and how they group, chart and compare them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from flags.dashboard import chart, diff, listing, words
from flags.model import Clause, Flag, Rule, Segment, Serve, Target

HOUR = chart.SPANS["hour"]
DAY = chart.SPANS["day"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (7, "7"),
        (99, "99"),
        (100, "100"),
        (340, "340"),
        (3187, "3,200"),
        (10_000, "10,000"),
    ],
)
def test_about(count: int, text: str) -> None:
    assert words.about(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (-5, "just now"), (60, "1 min ago"), (7199, "1 h ago"), (200_000, "2 d ago")],
)
def test_ago(seconds: int, text: str) -> None:
    assert words.ago(1_000_000_000, 1_000_000_000 + seconds * 1000) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250 ms"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h")],
)
def test_duration(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("turned publishing off", "turned off"),
        ("changed the default rule of publishing", "changed the default rule"),
        ("added targets to publishing, turned publishing on", "added targets, turned on"),
        ("created publishing-2", "created publishing-2"),
    ],
)
def test_titles_where_the_flag_is_clear(title: str, shown: str) -> None:
    assert words.without(title, "publishing") == shown


def test_secrets_are_masked() -> None:
    assert words.masked("sdk-0123456789abcdef") == "sdk-••••cdef"
    assert words.masked("0123456789abcdef") == "••••cdef"


def test_a_stage_has_one_colour(staged: Flag) -> None:
    short = staged.changed(variations=(staged.variations[0], staged.variations[3]))
    assert words.tone(short, 1) == words.tone(staged, 3)
    assert words.tone(staged, None) == words.tone(staged, 99) == "none"


@pytest.mark.parametrize(
    ("clause", "text"),
    [
        pytest.param(
            Clause(id="c", attribute="plan", op="in", values=("a", 7, True)),
            "user plan is one of a, 7, true",
            id="in",
        ),
        pytest.param(
            Clause(id="c", attribute="n", op="in", values=tuple(range(9)), negate=True),
            "user n is not one of 0, 1, 2, 3, 4 and 4 more",
            id="many",
        ),
        pytest.param(
            Clause(id="c", attribute="", op="segmentMatch", values=("staff",)),
            "is in the segment staff",
            id="segment",
        ),
    ],
)
def test_clause(clause: Clause, text: str) -> None:
    assert words.clause(clause) == text


def test_groups(staged: Flag, boolean: Flag) -> None:
    ops = boolean.changed(key="ops", tags=("ops",))
    found = listing.groups([boolean, ops, staged])
    assert [(g.title, [f.key for f in g.flags]) for g in found] == [
        ("Capabilities", ["publishing"]),
        ("Services", ["ops"]),
        ("Other flags", ["articles-service"]),
    ]


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        pytest.param({}, False, id="archived-is-hidden"),
        pytest.param({"archived": "1"}, True, id="asked"),
        pytest.param({"archived": "1", "q": " PUBL  oring"}, True, id="words"),
        pytest.param({"archived": "1", "q": "publ nothing"}, False, id="every-word"),
        pytest.param({"archived": "1", "tag": "b"}, True, id="tag"),
        pytest.param({"archived": "1", "tag": "c"}, False, id="other-tag"),
    ],
)
def test_filter(staged: Flag, query: dict[str, str], is_shown: bool) -> None:
    flag = staged.changed(archived=True, tags=("a", "b"), description="Authoring")
    assert listing.Filter.read(MultiDict(query)).shows(flag) is is_shown


@pytest.mark.parametrize("span", [HOUR, DAY], ids=["hour", "day"])
@given(
    counts=st.dictionaries(
        st.integers(0, 3000), st.dictionaries(st.integers(-1, 3), st.integers(1, 10**6))
    )
)
def test_chart(span: chart.Span, counts: dict[int, dict[int, int]]) -> None:
    now = 2500
    found = chart.chart(counts, span, now)
    assert len(found.columns) == span.minutes // span.step
    first = chart.since(span, now)
    assert found.columns[0].minute == first
    assert first <= now < found.columns[-1].minute + span.step
    inside = [c for m, c in counts.items() if first <= m < first + span.minutes]
    assert found.total == sum(sum(c.values()) for c in inside)
    for column in found.columns:
        height = sum(part.height for part in column.parts)
        assert height == pytest.approx(100 * sum(column.counts.values()) / found.top, abs=0.01)
        assert height <= 100.01


def changed(flag: Flag) -> Flag:
    config = flag.config("production").changed(
        on=True,
        fallthrough=Serve(variation=3),
        targets=(Target(variation=0, values=("alice", "bob")),),
        rules=(
            Rule(
                id="r",
                description="Staff",
                clauses=(Clause(id="c", attribute="", op="segmentMatch", values=("staff",)),),
                serve=Serve(variation=3),
            ),
        ),
    )
    return flag.with_config("production", config)


def test_difference_of_flags(staged: Flag) -> None:
    found = diff.of_documents("flag", staged.model_dump_json(), changed(staged).model_dump_json())
    assert [(d.subject, d.removed, d.added) for d in found] == [
        ("production: state", ("off",), ("on",)),
        ("production: default rule", ("off",), ("live",)),
        ("production: targets", (), ("user alice gets off", "user bob gets off")),
        ("production: rules", (), ("Staff: if is in the segment staff, serve live",)),
    ]


def test_difference_of_segments() -> None:
    old = Segment(key="s", name="S", created=1, modified=1, salt="s")
    new = old.changed(name="T", version=2)
    found = diff.of_documents("segment", old.model_dump_json(), new.model_dump_json())
    assert [(d.subject, d.removed, d.added) for d in found] == [("name", ("S",), ("T",))]


def test_a_document_of_another_time_is_still_shown() -> None:
    found = diff.of_documents("flag", '{"old": {"key": "a"}}', '{"old": {"key": "b"}}')
    assert [(d.subject, d.removed, d.added) for d in found] == [("old.key", ('"a"',), ('"b"',))]


def test_nothing_differs_from_itself(staged: Flag) -> None:
    assert diff.of_flags(changed(staged), changed(staged)) == []
    made = diff.of_documents("flag", None, staged.model_dump_json())
    assert all(not d.removed for d in made)
