"""Events come out of a stream as they went in, however it is cut, and never too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sse
from routing.event_stream import Event, EventReader, TooLong

LIMIT = 100
lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
streams = st.lists(
    st.builds(
        lambda name, data, end: end.join(
            [f"event: {name}", *(f"data: {line}" for line in data), "", ""]
        ),
        st.sampled_from(["snapshot", "change"]),
        st.lists(lines, min_size=1, max_size=3),
        st.sampled_from(["\n", "\r\n"]),
    )
    | st.sampled_from([": alive\n\n", "\n", "id: 7\n\n", "retry: 5\nwhatever\n\n"])
).map("".join)


def read(content: bytes, step: int, limit: int = LIMIT) -> list[Event]:
    reader = EventReader(limit)
    return [
        event
        for at in range(0, len(content), step)
        for event in reader.feed(content[at : at + step])
    ]


@given(streams, st.integers(1, 30))
def test_as_another_parser_reads_it(text: str, step: int) -> None:
    content = text.encode()
    found = [(event.name, event.data) for event in read(content, step, len(content))]
    assert found == [(each.event, each.data) for each in sse.events(content)]


@pytest.mark.parametrize(
    ("content", "events"),
    [
        pytest.param(b"data:a\n\n", [("message", "a")], id="no-name-no-space"),
        pytest.param(b"data: a\ndata:  b\n\n", [("message", "a\n b")], id="two-lines"),
        pytest.param(b"event: x\n\ndata: a\n\n", [("message", "a")], id="a-name-alone"),
        pytest.param(b": comment\ndata: a\n\n", [("message", "a")], id="comment"),
        pytest.param(b"data: a\n", [], id="not-over"),
        pytest.param(b"data: a\r\n\r\n", [("message", "a")], id="crlf"),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_shapes(content: bytes, events: list[tuple[str, str]], step: int) -> None:
    assert [(each.name, each.data) for each in read(content, step)] == events


@given(st.integers(1, 30), st.integers(1, 60))
def test_the_limit(step: int, size: int) -> None:
    """Of an event with all of its lines, with and without an end in sight."""
    fits = b"data: %b\n\n" % (b"x" * (LIMIT - 6))
    assert len(read(fits * 3, step)) == 3
    for long in (b"x" * (LIMIT + 1), b"data: %b\n" % (b"x" * size) * 100, b":c\n" * 100):
        with pytest.raises(TooLong, match="longer than 100 bytes"):
            read(long, step)


def test_what_is_not_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError):
        read(b"data: \xff\n\n", 1)
