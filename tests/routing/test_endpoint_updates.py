"""What is known of endpoints after an event, and after a start."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import endpoint_updates
from routing.config import Located, ProxyConfig
from routing.endpoint_updates import BadUpdate, kept, recalled, updated
from routing.event_stream import Event

A, B, C = "http://10.0.0.1:1", "http://10.0.0.2:1", "https://c.example"
URL = "https://controller.example/v1/endpoints"
places = st.dictionaries(
    st.sampled_from(["articles", "users", "new"]),
    st.lists(st.sampled_from([A, B, C]), min_size=1, unique=True).map(tuple),
)


def event(name: str, services: object) -> Event:
    return Event(name, json.dumps({"services": services}))


def config(articles: tuple[str, ...] = (A,), users: tuple[str, ...] = (B,)) -> ProxyConfig:
    return ProxyConfig.model_validate(
        {
            "migration": "test",
            "listen": {"port": 0},
            "gateway": {"port": 0},
            "monolith": C,
            "services": {
                "articles": {"endpoints": articles, "hedge": {"after": 1}}
                if len(articles) > 1
                else articles[0],
                "users": {"endpoints": users},
            },
        }
    )


@given(places, st.lists(st.tuples(st.sampled_from(["snapshot", "change"]), places)))
def test_changes_add_up(first: Located, events: list[tuple[str, Located]]) -> None:
    known = updated(None, event("snapshot", first))
    assert known == first
    expected = dict(first)
    for name, services in events:
        expected = dict(services) if name == "snapshot" else {**expected, **services}
        known = updated(known, event(name, services))
        assert known == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(Event("change", '{"services": {}}'), "before the snapshot", id="too-soon"),
        pytest.param(Event("snapshot", "{"), "not JSON", id="no-json"),
        pytest.param(Event("snapshot", "[" * 100_000), "not JSON", id="deep"),
        pytest.param(Event("snapshot", "7"), "no services", id="a-number"),
        pytest.param(Event("snapshot", "{}"), "no services", id="nothing"),
        pytest.param(event("snapshot", []), "services: .*dictionary", id="a-list"),
        pytest.param(event("snapshot", {"a": []}), "services.a: .*at least 1", id="empty"),
        pytest.param(event("snapshot", {"a": [A, A]}), f"{A} is named twice", id="twice"),
        pytest.param(event("snapshot", {"a": ["ftp://x"]}), r"services\.a\.0: ", id="scheme"),
        pytest.param(event("snapshot", {"a": ["http://x:65536"]}), "1 to 65535", id="port"),
        pytest.param(event("snapshot", {"a": ["http://x\r\nY: z"]}), "pattern", id="line-end"),
        pytest.param(event("snapshot", {"a" * 65: [A]}), "at most 64", id="long-name"),
        pytest.param(
            event("snapshot", {"a": [f"http://h{n}" for n in range(257)]}),
            "at most 256",
            id="too-many-of-one",
        ),
        pytest.param(
            event("snapshot", {f"s{n}": [f"http://h{i}" for i in range(256)] for n in range(17)}),
            "4352 endpoints of 17 services, expected 4096 of 1024 at most",
            id="too-many",
        ),
        pytest.param(
            event("snapshot", {f"s{n}": [A] for n in range(1025)}), "at most 1024", id="services"
        ),
    ],
)
def test_refused(given: Event, words: str) -> None:
    with pytest.raises(BadUpdate, match=words):
        updated(None, given)


def test_changes_do_not_add_up_to_more_than_a_snapshot_may_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoint_updates, "MAX_SERVICES", 1)
    known = updated(None, event("snapshot", {"articles": [A]}))
    with pytest.raises(BadUpdate, match="2 services"):
        updated(known, event("change", {"users": [A]}))


def test_the_future() -> None:
    known = {"articles": (A,)}
    assert updated(known, Event("weights", "?")) is None
    more = Event("snapshot", json.dumps({"services": {"articles": [A]}, "region": "eu"}))
    assert updated(None, more) == known


@given(places)
def test_in_the_configuration(located: Located) -> None:
    """Options stay, and so does what nobody says anything of."""
    before = config((A, B))
    after = before.located(located)
    for name, upstream in after.services.items():
        expected = located.get(name, before.services[name].endpoints)
        assert upstream.endpoints == tuple(expected)
        assert upstream.hedge == before.services[name].hedge, "even with one endpoint left"
    assert after.model_copy(update={"services": before.services}) == before


@given(places)
def test_remembered(located: Located) -> None:
    now = config()
    known = {name: each for name, each in located.items() if name != "new"}
    text = json.dumps(kept(located, URL, now)).encode()
    assert recalled(text, URL, now) == known
    assert recalled(text, URL + "/other", now) == {}, "another place says other things"
    moved = recalled(text, URL, config(articles=(B,)))
    assert moved == {name: each for name, each in known.items() if name != "articles"}


def _without(name: str) -> dict[str, Any]:
    document = kept({"articles": (A,)}, URL, config())
    del document[name]
    return document


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"{ broken", id="broken"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(b"7", id="a-number"),
        *(
            pytest.param(json.dumps(_without(name)).encode(), id=name)
            for name in kept({}, "", config())
        ),
        pytest.param(
            json.dumps({**_without("services"), "services": {"articles": ["x"]}}).encode(),
            id="no-origin",
        ),
        pytest.param(
            json.dumps({**_without("configured"), "configured": 7}).encode(), id="no-names"
        ),
    ],
)
def test_not_usable(text: bytes) -> None:
    with pytest.raises(BadUpdate):
        recalled(text, URL, config())
