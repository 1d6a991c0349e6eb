"""LaunchDarkly's SDK for Node.js, unmodified, next to the one for Python."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from ldclient import Context

from flag_builders import CLAUSE, OFF, ON, Wait
from node_sdk import NodeSdk, node_sdk
from python_sdk import python_sdk

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.sdk.conftest import Segments

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the SDK's sockets
ALICE = {"kind": "user", "key": "alice", "plan": "internal"}
FALLTHROUGH = "updateFallthroughVariationOrRollout"


@pytest.fixture
def node(server: "Server") -> Iterator[NodeSdk]:
    server.create("articles-service")
    with node_sdk(server.origin, server.credentials.sdk_key) as sdk:
        yield sdk


def test_it_follows_changes(server: "Server", node: NodeSdk, wait: Wait) -> None:
    def value(key: str) -> object:
        return node.variation(key, ALICE, "default")["value"]

    assert value("articles-service") is False
    server.patch("articles-service", ON)
    wait(lambda: value("articles-service") is True, "a toggle")
    server.patch("articles-service", OFF)
    wait(lambda: value("articles-service") is False, "the way back")
    server.create("images-service")
    wait(lambda: value("images-service") is False, "a new flag")
    assert server.http.delete("/api/v2/flags/cms/images-service").status_code == 204
    wait(lambda: value("images-service") == "default", "no such flag")


def test_it_evaluates_as_the_one_for_python(
    server: "Server", node: NodeSdk, segment: "Segments", wait: Wait
) -> None:
    segment("staff", {"kind": "addIncludedTargets", "contextKind": "user", "values": ["carol"]})
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    is_staff = {**CLAUSE, "attribute": "", "op": "segmentMatch", "values": ["staff"]}
    server.patch(
        "publishing",
        ON,
        {"kind": FALLTHROUGH, "rolloutWeights": {ids[2]: 60_000, ids[3]: 40_000}},
        {"kind": "addTargets", "contextKind": "user", "variationId": ids[5], "values": ["bob"]},
        {"kind": "addRule", "variationId": ids[4], "clauses": [CLAUSE]},
        {"kind": "addRule", "variationId": ids[1], "clauses": [is_staff]},
    )
    contexts = [ALICE, {"kind": "user", "key": "bob"}, {"kind": "user", "key": "carol"}] + [
        {"kind": "user", "key": f"user-{n}"} for n in range(200)
    ]
    wait(lambda: node.variation("publishing", ALICE)["value"] == "rampdown", "the rule")
    with python_sdk(server.origin, server.credentials.sdk_key) as python:
        seen = set()
        for context in contexts:
            theirs = node.variation("publishing", context, "none")
            ours = python.variation_detail("publishing", Context.from_dict(context), "none")
            assert (theirs["value"], theirs["variationIndex"], theirs["reason"]) == (
                ours.value, ours.variation_index, ours.reason,
            )  # fmt: skip
            seen.add(theirs["value"])
    assert seen == {"rampdown", "complete", "dualwrite", "shadow", "live"}


def test_its_events_are_counted(server: "Server", node: NodeSdk, wait: Wait) -> None:
    """It posts them chunked, and with its own spelling of header names."""
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    server.patch("publishing", ON, {"kind": FALLTHROUGH, "variationId": ids[3]})
    wait(lambda: node.migration("publishing", ALICE, "off") == "live", "the stage")
    for _ in range(3):
        node.variation("articles-service", ALICE)
    node.flush()
    status = "/api/v2/flag-statuses/cms/production/articles-service"
    wait(lambda: server.http.get(status).json()["name"] == "active", "the count")
