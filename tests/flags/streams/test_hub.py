"""Environments by their keys, and who hears what."""

from collections.abc import Sequence
from typing import Any

import pytest

from event_stream import parsed, unchunked
from fake_transport import FakeTransport
from flag_builders import a_boolean, a_segment, a_staged, an_environment, within
from flags.evaluation.context import Context
from flags.model import Environment, Flag, Segment
from flags.store.changes import Change, Deleted
from flags.streams.client import for_browsers
from flags.streams.connection import Connection
from flags.streams.hub import EnvironmentHub, Hub
from flags.wire.encoding import LAST_CHUNK

PRODUCTION, STAGING = an_environment("production"), an_environment("staging")
ALICE = Context.parse({"kind": "user", "key": "alice"})


class Publisher:
    """Numbers changes as a store does."""

    def __init__(self, *environments: Environment) -> None:
        self.hub = Hub("0a1b2c3d")
        self._sequence = 0
        for environment in environments:
            self.environment(environment)

    def environment(self, environment: Environment) -> None:
        self._publish(environment.project, environment.key, environment)

    def flag(self, flag: Flag | Deleted, project: str = "cms") -> None:
        self._publish(project, None, flag)

    def segment(self, segment: Segment | Deleted, environment: str = "production") -> None:
        self._publish("cms", environment, segment)

    def drop(self, key: str) -> None:
        self._publish("cms", key, Deleted(kind="environment", key=key, version=0))

    def of(self, key: str = "production") -> EnvironmentHub:
        found = self.hub.get("cms", key)
        assert found is not None
        return found

    def _publish(self, project: str, environment: str | None, item: Any) -> None:
        self._sequence += 1
        self.hub.publish(
            Change(sequence=self._sequence, project=project, environment=environment, item=item)
        )


@pytest.fixture
def publisher() -> Publisher:
    return Publisher(PRODUCTION, STAGING)


def following(connection: Connection) -> FakeTransport:
    """Started; what it begins with is taken already."""
    transport = FakeTransport()
    connection.start(transport, b"")
    transport.take()
    return transport


def names(transport: FakeTransport) -> Sequence[str]:
    return [name for name, _ in parsed(unchunked(transport.take()))]


def test_put_then_changes(publisher: Publisher) -> None:
    publisher.flag(a_boolean())
    transport = FakeTransport()
    publisher.of().follow("python").start(transport, b"")
    ((name, data),) = parsed(unchunked(transport.take()))
    assert (name, list(data["data"]["flags"])) == ("put", ["articles-service"])
    publisher.flag(within(a_staged(), version=2))
    ((name, data),) = parsed(unchunked(transport.take()))
    assert (name, data["path"], data["data"]["version"]) == ("patch", "/flags/publishing", 2)
    publisher.segment(a_segment(version=3))
    ((name, data),) = parsed(unchunked(transport.take()))
    assert (name, data["path"], data["data"]["version"]) == ("patch", "/segments/beta", 3)
    publisher.flag(Deleted(kind="flag", key="publishing", version=3))
    publisher.segment(Deleted(kind="segment", key="beta", version=4))
    assert parsed(unchunked(transport.take())) == [
        ("delete", {"path": "/flags/publishing", "version": 3}),
        ("delete", {"path": "/segments/beta", "version": 4}),
    ]


def test_nothing_is_lost_between_connecting_and_the_first_event(publisher: Publisher) -> None:
    connection = publisher.of().follow("python")
    publisher.flag(a_boolean())
    transport = FakeTransport()
    connection.start(transport, b"")
    ((_, data),) = parsed(unchunked(transport.take()))
    assert list(data["data"]["flags"]) == ["articles-service"]


def test_a_slow_reader_of_each_kind_gets_the_state_of_the_moment(publisher: Publisher) -> None:
    hub = publisher.of()
    streams = [
        following(connection)
        for connection in (
            hub.follow("python"),
            hub.follow_v2("python", None),
            hub.follow_context("browser", ALICE, for_browsers, with_reasons=False),
            hub.follow_pings("phone"),
        )
    ]
    for transport in streams:
        transport.pause()
    for version in range(1, 100):
        publisher.flag(
            within(a_boolean(using_environment_id=True), version=version, on=bool(version % 2))
        )
    assert [transport.take() for transport in streams] == [b""] * 4
    assert all(s.behind > 0 for s in hub.streams())
    for transport in streams:
        transport.resume()
    assert [s.behind for s in hub.streams()] == [0.0] * 4
    first, second, browser, ping = (parsed(unchunked(t.take())) for t in streams)
    assert [name for name, _ in first] == ["put"]
    assert first[0][1]["data"]["flags"]["articles-service"]["version"] == 99
    assert [name for name, _ in second] == ["server-intent", "put-object", "payload-transferred"]
    assert second[0][1]["payloads"][0]["intentCode"] == "xfer-full"
    assert browser[0][1]["articles-service"]["value"] is True
    assert ping == [("ping", {})]


def test_the_second_generation_closes_every_change_with_its_state(publisher: Publisher) -> None:
    publisher.flag(a_boolean())
    transport = following(publisher.of().follow_v2("python", None))
    publisher.flag(within(a_boolean(), version=2))
    (put, closing) = parsed(unchunked(transport.take()))
    assert (put[0], put[1]["version"]) == ("put-object", 2)
    assert closing == (
        "payload-transferred", {"id": "0a1b2c3d", "state": "0a1b2c3d:4", "version": 4},
    )  # fmt: skip


def test_the_basis_counts_once(publisher: Publisher) -> None:
    """A reader that was slow later on gets everything: what it has heard is not known."""
    publisher.flag(a_boolean())
    transport = FakeTransport()
    publisher.of().follow_v2("python", "0a1b2c3d:3").start(transport, b"")
    assert names(transport) == ["server-intent"]
    transport.pause()
    publisher.flag(within(a_boolean(), version=2))
    transport.resume()
    ((_, intent), *_) = parsed(unchunked(transport.take()))
    assert intent["payloads"][0]["intentCode"] == "xfer-full"


def test_environments_hear_only_their_changes(publisher: Publisher) -> None:
    publisher.flag(a_boolean())
    here = following(publisher.of("production").follow("python"))
    there = following(publisher.of("staging").follow("python"))
    publisher.flag(within(a_boolean(), "staging", version=2))
    assert (names(here), names(there)) == ([], ["patch"])
    publisher.segment(a_segment(), "production")
    assert (names(here), names(there)) == (["patch"], [])
    publisher.flag(a_staged())
    assert (names(here), names(there)) == (["patch"], ["patch"])
    publisher.flag(a_boolean("another"), project="shop")
    assert (names(here), names(there)) == ([], [])


def test_a_new_environment_begins_with_the_flags(publisher: Publisher) -> None:
    publisher.flag(a_boolean())
    publisher.flag(a_staged())
    publisher.flag(a_boolean("of-a-shop"), project="shop")
    publisher.flag(Deleted(kind="flag", key="publishing", version=9))
    publisher.segment(a_segment(), "production")
    publisher.environment(an_environment("test"))
    assert list(publisher.of("test").state.snapshot.flags) == ["articles-service"]
    assert not publisher.of("test").state.snapshot.segments


def test_a_deleted_environment_ends_its_streams(publisher: Publisher) -> None:
    hub = publisher.of("staging")
    ending = [following(hub.follow("python")), following(hub.follow_pings("phone"))]
    staying = following(publisher.of("production").follow("python"))
    publisher.drop("staging")
    publisher.drop("staging")
    assert [(t.take(), t.closed) for t in ending] == [(LAST_CHUNK, True)] * 2
    assert (staying.take(), staying.closed) == (b"", False)
    assert publisher.hub.get("cms", "staging") is None
    for key in (
        f"sdk:{STAGING.sdk_key}",
        f"mobile:{STAGING.mobile_key}",
        f"client:{STAGING.client_side_id}",
    ):
        assert publisher.hub.by_secret(key) is None
    publisher.segment(a_segment(), "staging")  # it comes too late
    assert publisher.hub.by_secret(f"sdk:{PRODUCTION.sdk_key}") is publisher.of("production")


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        pytest.param("sdk", PRODUCTION.sdk_key, id="sdk"),
        pytest.param("mobile", PRODUCTION.mobile_key, id="mobile"),
        pytest.param("client", PRODUCTION.client_side_id, id="client"),
    ],
)
def test_a_key_is_only_good_for_its_kind(publisher: Publisher, kind: str, key: str) -> None:
    for other in ("sdk", "mobile", "client"):
        found = publisher.hub.by_secret(f"{other}:{key}")
        assert found is (publisher.of() if other == kind else None)


@pytest.mark.parametrize(
    ("field", "value", "ended"),
    [
        pytest.param("sdk_key", "sdk-new-0123456789", {"server", "server-v2"}, id="sdk-key"),
        pytest.param("mobile_key", "mob-new-0123456789", {"client", "ping"}, id="mobile-key"),
        pytest.param("client_side_id", "f" * 24, {"client", "ping"}, id="client-side-id"),
        pytest.param("secure_mode", True, {"client", "ping"}, id="secure-mode"),
        pytest.param("name", "Live", set(), id="name"),
    ],
)
def test_who_has_to_come_again_after_a_change_of_keys(
    publisher: Publisher, field: str, value: object, ended: set[str]
) -> None:
    hub = publisher.of()
    streams = {
        "server": following(hub.follow("")),
        "server-v2": following(hub.follow_v2("", None)),
        "client": following(hub.follow_context("", ALICE, for_browsers, with_reasons=False)),
        "ping": following(hub.follow_pings("")),
    }
    publisher.flag(a_boolean())
    publisher.environment(PRODUCTION.changed(**{field: value}))
    assert {kind for kind, transport in streams.items() if transport.closed} == ended
    assert publisher.of() is hub
    assert list(hub.state.snapshot.flags) == ["articles-service"]
    assert getattr(hub.state.environment, field) == value


def test_an_old_key_is_forgotten(publisher: Publisher) -> None:
    publisher.environment(PRODUCTION.changed(sdk_key="sdk-new-0123456789"))
    assert publisher.hub.by_secret(f"sdk:{PRODUCTION.sdk_key}") is None
    assert publisher.hub.by_secret("sdk:sdk-new-0123456789") is publisher.of()


def test_streams_are_counted_while_they_are_open(publisher: Publisher) -> None:
    hub = publisher.of()
    opened = [following(hub.follow("python")), following(hub.follow_v2("node", None))]
    assert [(s.kind, s.agent, s.behind) for s in hub.streams()] == [
        ("server", "python", 0.0),
        ("server-v2", "node", 0.0),
    ]
    assert sum(len(channel.connections) for channel in publisher.hub.channels()) == 2
    opened[0].lose()
    assert [s.agent for s in hub.streams()] == ["node"]
    publisher.hub.close()
    assert not list(hub.streams())
    assert opened[1].closed


def test_watchers_hear_of_every_change(publisher: Publisher) -> None:
    heard: list[Change] = []
    end = publisher.hub.watch(heard.append)
    publisher.flag(a_boolean())
    publisher.flag(a_boolean())  # nothing new for SDKs
    publisher.segment(a_segment(), "staging")
    publisher.environment(PRODUCTION)
    assert [type(change.item) for change in heard] == [Flag, Flag, Segment, Environment]
    end()
    end()
    publisher.flag(a_staged())
    assert len(heard) == 4


def test_a_watcher_may_end_itself(publisher: Publisher) -> None:
    heard: list[Change] = []

    def once(change: Change) -> None:
        heard.append(change)
        end()

    end = publisher.hub.watch(once)
    publisher.flag(a_boolean())
    publisher.flag(a_staged())
    assert len(heard) == 1
