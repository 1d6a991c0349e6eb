"""LaunchDarkly's SDK for Python, unmodified, in both protocol generations."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from ldclient import Context, LDClient
from ldclient.versioned_data_kind import SEGMENTS

from flag_builders import CLAUSE, OFF, ON, Wait
from flags.streams.connection import Connection
from flags.streams.hub import EnvironmentHub
from python_sdk import MODES, python_sdk

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.sdk.conftest import Segments

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the SDK's sockets
ALICE, BOB = Context.create("alice"), Context.create("bob")
FALLTHROUGH = "updateFallthroughVariationOrRollout"
every_mode = pytest.mark.parametrize("mode", MODES)
streaming = pytest.mark.parametrize("mode", [mode for mode in MODES if "polling" not in mode])


class Sdks(Protocol):
    def __call__(self, mode: str = "streaming", **options: Any) -> LDClient: ...


@pytest.fixture
def sdk(server: "Server") -> Iterator[Sdks]:
    """Connects SDKs that are closed at the end."""
    with ExitStack() as stack:
        yield lambda mode="streaming", **options: stack.enter_context(
            python_sdk(server.origin, server.credentials.sdk_key, mode, **options)
        )


def answers(client: LDClient, key: str, context: Context, wanted: object) -> Callable[[], bool]:
    return lambda: bool(client.variation(key, context, "default") == wanted)


def sdks(server: "Server") -> int:
    return int(server.http.get("/healthz").json()["sdks"])


@every_mode
def test_it_evaluates_what_was_there_before(server: "Server", sdk: Sdks, mode: str) -> None:
    weights = {v["_id"]: 0 for v in server.migration("publishing")["variations"]}
    shadow, live = list(weights)[2:4]
    server.patch(
        "publishing",
        ON,
        {
            "kind": FALLTHROUGH,
            "rolloutContextKind": "user",
            "rolloutWeights": {live: 30_000, shadow: 70_000},
        },
        {"kind": "addTargets", "contextKind": "user", "variationId": live, "values": ["alice"]},
    )
    client = sdk(mode)
    detail = client.variation_detail("publishing", ALICE, "none")
    assert (detail.value, detail.reason["kind"]) == ("live", "TARGET_MATCH")
    stages = [
        client.variation("publishing", Context.create(f"user-{n}"), "none") for n in range(1000)
    ]
    assert set(stages) == {"shadow", "live"}
    assert 230 < stages.count("live") < 370
    assert client.variation("unknown", ALICE, "default") == "default"


@every_mode
def test_it_follows_every_kind_of_change(
    server: "Server", sdk: Sdks, segment: "Segments", wait: Wait, mode: str
) -> None:
    server.create("articles-service")
    segment("staff")
    flag = server.create("beta")
    yes, no = (v["_id"] for v in flag["variations"])
    server.patch(
        "beta",
        ON,
        {"kind": FALLTHROUGH, "variationId": no},
        {
            "kind": "addRule",
            "variationId": yes,
            "clauses": [{**CLAUSE, "attribute": "", "op": "segmentMatch", "values": ["staff"]}],
        },
    )
    client = sdk(mode)
    assert client.variation("articles-service", ALICE, None) is False
    server.patch("articles-service", ON)
    wait(answers(client, "articles-service", ALICE, True), "a toggle")
    server.patch("articles-service", OFF)
    wait(answers(client, "articles-service", ALICE, False), "the way back")

    assert client.variation("beta", ALICE, None) is False
    member = {"contextKind": "user", "values": ["alice"]}
    segment("staff", {"kind": "addIncludedTargets", **member})
    wait(answers(client, "beta", ALICE, True), "a member of the segment")
    assert client.variation("beta", BOB, None) is False
    segment("staff", {"kind": "removeIncludedTargets", **member})
    wait(answers(client, "beta", ALICE, False), "nobody in the segment")

    for _ in range(2):  # made, deleted, and made anew
        server.create("images-service")
        wait(answers(client, "images-service", ALICE, False), "a new flag")
        server.patch("images-service", ON)
        wait(answers(client, "images-service", ALICE, True), "a toggle of the new flag")
        assert server.http.delete("/api/v2/flags/cms/images-service").status_code == 204
        wait(answers(client, "images-service", ALICE, "default"), "no such flag")


@every_mode
def test_a_deleted_segment_has_no_members(
    server: "Server", sdk: Sdks, segment: "Segments", wait: Wait, mode: str
) -> None:
    segment("staff", {"kind": "addIncludedTargets", "contextKind": "user", "values": ["alice"]})
    client = sdk(mode)
    store = client._data_system.store  # no evaluation tells an empty segment from none
    assert store.get(SEGMENTS, "staff", bool)
    assert server.http.delete("/api/v2/segments/cms/production/staff").status_code == 204
    wait(lambda: not store.get(SEGMENTS, "staff", bool), "no segment")


def test_growing_a_share_only_adds_contexts(server: "Server", sdk: Sdks, wait: Wait) -> None:
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    server.patch("publishing", ON)
    users = [Context.create(f"user-{n}") for n in range(300)]
    before: set[str] = set()

    def live() -> set[str]:
        return {u.key for u in users if client.variation("publishing", u, "") == "live"}

    def more_than(count: int) -> bool:
        return len(live()) > count

    client = sdk()
    for share in (10_000, 40_000, 90_000):
        weights = {ids[3]: share, ids[2]: 100_000 - share}
        server.patch("publishing", {"kind": FALLTHROUGH, "rolloutWeights": weights})
        wait(functools.partial(more_than, len(before)), "the share to grow")
        assert live() > before
        before = live()


@every_mode
def test_a_prerequisite_that_is_off_makes_the_dependent_flag_off(
    server: "Server", sdk: Sdks, wait: Wait, mode: str
) -> None:
    """The kill switch of a service: every capability that needs it evaluates to `off`."""
    service = server.create("articles-service")
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    server.patch("articles-service", ON)
    server.patch(
        "publishing",
        ON,
        {"kind": FALLTHROUGH, "variationId": ids[5]},
        {
            "kind": "addPrerequisite",
            "key": "articles-service",
            "variationId": service["variations"][0]["_id"],
        },
    )
    client = sdk(mode)
    assert client.variation("publishing", ALICE, "none") == "complete"
    server.patch("articles-service", OFF)
    wait(answers(client, "publishing", ALICE, "off"), "the kill switch")
    reason = client.variation_detail("publishing", ALICE, "none").reason
    assert reason == {"kind": "PREREQUISITE_FAILED", "prerequisiteKey": "articles-service"}
    server.patch("articles-service", ON)
    wait(answers(client, "publishing", ALICE, "complete"), "the way back")


# A refused connection ends the thread that polls in the SDK's second generation.
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "second-polling"])
def test_it_reconnects_after_a_restart(stopped: "Server", wait: Wait, mode: str) -> None:
    with ExitStack() as stack:
        with stopped.running():
            stopped.create("articles-service")
            key = stopped.credentials.sdk_key
            client = stack.enter_context(python_sdk(stopped.origin, key, mode))
            assert client.variation("articles-service", ALICE, None) is False
        assert client.variation("articles-service", ALICE, None) is False
        with stopped.running():
            stopped.patch("articles-service", ON)
            wait(answers(client, "articles-service", ALICE, True), "the SDK to follow")


def test_the_second_generation_comes_back_with_what_it_has(
    stopped: "Server", wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names its state, and gets only what changed since."""
    asked: list[str | None] = []
    follow = EnvironmentHub.follow_v2

    def recorded(self: EnvironmentHub, agent: str, basis: str | None) -> Connection:
        asked.append(basis)
        return follow(self, agent, basis)

    monkeypatch.setattr(EnvironmentHub, "follow_v2", recorded)
    with ExitStack() as stack:
        with stopped.running():
            stopped.create("articles-service")
            stopped.create("images-service")
            state = stopped.http.get(
                "/sdk/poll", headers={"Authorization": stopped.credentials.sdk_key}
            ).json()["events"][-1]["data"]["state"]
            client = stack.enter_context(
                python_sdk(stopped.origin, stopped.credentials.sdk_key, "second-streaming")
            )
        with stopped.running():
            stopped.patch("articles-service", ON)
            wait(answers(client, "articles-service", ALICE, True), "the change")
            assert client.variation("images-service", ALICE, None) is False
    assert asked[0] is None
    assert asked[1] == state


@streaming
def test_a_closed_sdk_is_no_connection_any_more(server: "Server", wait: Wait, mode: str) -> None:
    key = server.credentials.sdk_key
    with python_sdk(server.origin, key, mode), python_sdk(server.origin, key, mode):
        wait(lambda: sdks(server) == 2, "both streams")
    wait(lambda: sdks(server) == 0, "the end of both streams")


def is_refused(client: LDClient) -> bool:
    error = client.data_source_status_provider.status.error
    return error is not None and error.status_code == 401


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("sdk-wrong-wrong-wrong", id="unknown"),
        pytest.param("mob-5f1c0a9e-2b7d-4c63", id="mobile"),
        pytest.param("0123456789abcdef01234567", id="client-side"),
    ],
)
@every_mode
def test_a_wrong_key_is_refused(shared_server: "Server", wait: Wait, mode: str, key: str) -> None:
    with python_sdk(shared_server.origin, key, mode, refused=True) as client:
        wait(lambda: is_refused(client), "the SDK to hear that its key is wrong")
        assert not client.is_initialized()


@streaming
def test_a_new_key_ends_connections_with_the_old_one(
    server: "Server", sdk: Sdks, wait: Wait, mode: str
) -> None:
    server.create("articles-service")
    client = sdk(mode)
    wait(lambda: sdks(server) == 1, "the stream")
    path = "/api/v2/projects/cms/environments/production/apiKey"
    new = server.http.post(path).json()["apiKey"]
    wait(lambda: is_refused(client), "the SDK to hear that its key is no longer valid")
    assert sdks(server) == 0
    with python_sdk(server.origin, new, mode) as another:
        assert another.variation("articles-service", ALICE, None) is False
    assert client.variation("articles-service", ALICE, None) is False  # it keeps what it has


@every_mode
def test_flags_of_another_environment_are_its_own(
    server: "Server",
    sdk: Sdks,
    new_environment: Callable[[str], dict[str, Any]],
    wait: Wait,
    mode: str,
) -> None:
    """A new environment begins with every flag, off; then each hears only of its changes."""
    server.create("articles-service")
    server.patch("articles-service", ON)
    staging = new_environment("staging")
    production = sdk(mode)
    with python_sdk(server.origin, staging["apiKey"], mode) as client:
        assert client.variation("articles-service", ALICE, None) is False
        assert production.variation("articles-service", ALICE, None) is True
        server.create("images-service")
        for each in (client, production):
            wait(answers(each, "images-service", ALICE, False), "the new flag in both")
        server.patch("images-service", ON)
        wait(answers(production, "images-service", ALICE, True), "on in production")
        assert client.variation("images-service", ALICE, None) is False
