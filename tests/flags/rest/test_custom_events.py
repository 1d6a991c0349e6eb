"""Custom events of official SDKs, counted by the variation of a migration flag."""

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
from ldclient import Context
from ldclient.migrations import Stage

from flag_builders import FALLTHROUGH, ON, Wait
from python_sdk import flush, python_sdk
from rest_api import Api

if TYPE_CHECKING:
    from tests.flags.conftest import Server


def resource(api: Api, environment: str = "production", after: int | None = None) -> Any:
    path = f"/api/v2/projects/{api.project}/flags/moving/environments/{environment}/custom-events"
    query = "" if after is None else f"?after={after}"
    return api.ask("GET", path + query)["items"]


def sdk_key(api: Api, environment: str = "production") -> str:
    key: str = api.ask("GET", f"{api.environments}/{environment}")["apiKey"]
    return key


def test_what_services_track_is_counted_by_variation(
    api: Api, shared_server: "Server", wait: Wait
) -> None:
    ids = {each["value"]: each["_id"] for each in api.migration("moving")["variations"]}
    weights = {ids["shadow"]: 50_000, ids["live"]: 50_000}
    share = {"kind": FALLTHROUGH, "rolloutContextKind": "user", "rolloutWeights": weights}
    api.patch("moving", ON, share)
    users = [Context.create(f"user-{number}") for number in range(40)]
    expected: dict[str, int] = {}
    with python_sdk(shared_server.origin, sdk_key(api)) as client:
        for user in users:
            stage, _ = client.migration_variation("moving", user, Stage.OFF)
            expected[stage.value] = expected.get(stage.value, 0) + 1
            client.track("paid", user, metric_value=2.5)
        flush(client)
        wait(lambda: sum(each["count"] for each in resource(api)) == 40, "all events")
    assert set(expected) == {"shadow", "live"}
    assert {each["value"]: each["count"] for each in resource(api)} == expected
    for each in resource(api):
        assert (each["key"], each["sum"]) == ("paid", 2.5 * each["count"])
        assert each["variation"] == {"shadow": 2, "live": 3}[each["value"]]
    assert resource(api, "staging") == []
    later = int(time.time() * 1000) + 120_000
    assert resource(api, after=later) == []
    assert len(resource(api, after=later - 10 * 60_000)) == 2


def test_of_boolean_flags_and_other_measures_nothing_is_told(api: Api) -> None:
    api.create("moving")
    assert resource(api) == []


def test_what_is_not_there(api: Api) -> None:
    path = f"/api/v2/projects/{api.project}/flags/moving/environments/production/custom-events"
    assert api.ask("GET", path, 404)["code"] == "not_found"
    api.create("moving")
    api.ask("GET", path.replace("production", "nowhere"), 404)
    assert "after" in api.ask("GET", f"{path}?after=x", 400)["message"]


def test_keys_are_limited(api: Api, shared_server: "Server", wait: Wait) -> None:
    """A browser may send any; beyond the limit new ones are not counted by variation."""
    api.migration("moving")
    headers = {"Authorization": sdk_key(api)}

    def send(*keys: str) -> None:
        context = {"kind": "user", "key": "a"}
        events = [{"kind": "custom", "key": key, "context": context} for key in keys]
        url = f"{shared_server.origin}/bulk"
        answer = httpx.post(url, content=json.dumps(events), headers=headers, timeout=20)
        assert answer.status_code == 202

    def counts() -> dict[str, int]:
        return {each["key"]: each["count"] for each in resource(api)}

    send(*(f"k{number}" for number in range(520)))
    send("k0")
    wait(lambda: counts().get("k0") == 2, "the last event")
    assert counts().keys() == {f"k{number}" for number in range(500)}
