"""OpenFeature's remote evaluation, by plain HTTP and with OpenFeature's own provider."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from flag_builders import CLAUSE, OFF, ON, Wait
from flags.sdk.ofrep import _with_key
from flags.streams.protocol import MAX_CONTEXT

if TYPE_CHECKING:
    from tests.flags.conftest import Server

PATH = "/ofrep/v1/evaluate/flags"
ALICE = {"context": {"targetingKey": "alice"}}
FALLTHROUGH = "updateFallthroughVariationOrRollout"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ask(
    server: "Server", key: str = "", body: object = ALICE, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Everything, or the flag `key`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(
        f"{server.origin}{PATH}{'/' if key else ''}{key}",
        content=content,
        headers=bearer(server.credentials.sdk_key) if headers is None else dict(headers),
        timeout=20,
    )


def test_one_flag(server: "Server") -> None:
    server.create("articles-service")
    assert ask(server, "articles-service").json() == {
        "key": "articles-service",
        "value": False,
        "variant": "1",
        "reason": "DISABLED",
        "metadata": {"flagVersion": 1, "kind": "OFF"},
    }
    server.patch("articles-service", ON)
    answer = ask(server, "articles-service")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "key": "articles-service",
        "value": True,
        "variant": "0",
        "reason": "DEFAULT",
        "metadata": {"flagVersion": 2, "kind": "FALLTHROUGH"},
    }


@pytest.mark.parametrize(
    ("context", "value", "reason"),
    [
        pytest.param({"targetingKey": "bob"}, "complete", "TARGETING_MATCH", id="target"),
        pytest.param(
            {"targetingKey": "x", "plan": "internal"}, "live", "TARGETING_MATCH", id="rule"
        ),
        pytest.param({"targetingKey": "x"}, "shadow", "SPLIT", id="split"),
        pytest.param({"key": "bob"}, "complete", "TARGETING_MATCH", id="key"),
        pytest.param(
            {"kind": "organization", "targetingKey": "acme"}, "off", "TARGETING_MATCH", id="kind"
        ),
        pytest.param(
            {
                "kind": "multi",
                "user": {"targetingKey": "x"},
                "organization": {"targetingKey": "acme"},
            },
            "off",
            "TARGETING_MATCH",
            id="several-kinds",
        ),
    ],
)
def test_contexts_and_reasons(
    server: "Server", context: dict[str, Any], value: str, reason: str
) -> None:
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    server.patch(
        "publishing",
        ON,
        {"kind": "addTargets", "contextKind": "user", "variationId": ids[5], "values": ["bob"]},
        {
            "kind": "addTargets",
            "contextKind": "organization",
            "variationId": ids[0],
            "values": ["acme"],
        },
        {"kind": "addRule", "variationId": ids[3], "clauses": [CLAUSE]},
        {"kind": FALLTHROUGH, "rolloutWeights": {ids[2]: 100_000}},
    )
    answer = ask(server, "publishing", {"context": context}).json()
    assert (answer["value"], answer["reason"]) == (value, reason)


def test_a_prerequisite_that_failed(server: "Server") -> None:
    service = server.create("articles-service")["variations"][0]["_id"]
    server.migration("publishing")
    server.patch(
        "publishing",
        ON,
        {"kind": "addPrerequisite", "key": "articles-service", "variationId": service},
    )
    answer = ask(server, "publishing").json()
    assert (answer["value"], answer["reason"]) == ("off", "PREREQUISITE_FAILED")


def test_everything(server: "Server") -> None:
    server.create("articles-service")
    server.migration("publishing")
    answer = ask(server)
    assert answer.status_code == 200
    body = answer.json()
    assert body["metadata"] == {}
    assert body["flags"] == [ask(server, key).json() for key in ("articles-service", "publishing")]
    tag = answer.headers["etag"]
    key = bearer(server.credentials.sdk_key)
    again = ask(server, headers={**key, "If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    server.patch("articles-service", ON)
    changed = ask(server, headers={**key, "If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        pytest.param("sdk_key", {"neither", "browser", "mobile"}, id="sdk"),
        pytest.param("mobile_key", {"mobile"}, id="mobile"),
        pytest.param("client_side_id", {"browser"}, id="client-side"),
    ],
)
@pytest.mark.parametrize("as_bearer", [True, False])
def test_what_a_key_may_read(server: "Server", key: str, wanted: set[str], as_bearer: bool) -> None:
    server.create("neither", clientSideAvailability={"usingEnvironmentId": False})
    server.create("browser", clientSideAvailability={"usingEnvironmentId": True})
    server.create(
        "mobile", clientSideAvailability={"usingMobileKey": True, "usingEnvironmentId": False}
    )
    secret = getattr(server.credentials, key)
    headers = bearer(secret) if as_bearer else {"X-API-Key": secret}
    assert {flag["key"] for flag in ask(server, headers=headers).json()["flags"]} == wanted
    for flag in ("neither", "browser", "mobile"):
        status = 200 if flag in wanted else 404
        assert ask(server, flag, headers=headers).status_code == status


@pytest.mark.parametrize("path", ["", "articles-service"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param(bearer("sdk-wrong-wrong-wrong"), id="unknown"),
        pytest.param({"Authorization": "Bearer"}, id="empty"),
        pytest.param({"X-API-Key": "sdk-wrong-wrong-wrong"}, id="unknown-api-key"),
        pytest.param({"Authorization": "Basic sdk-5f1c0a9e-2b7d-4c63"}, id="scheme"),
        pytest.param(bearer("api-alice-7b1f44d2"), id="api-token"),
    ],
)
def test_wrong_key(shared_server: "Server", path: str, headers: Mapping[str, str]) -> None:
    answer = ask(shared_server, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "PARSE_ERROR", id="empty"),
        pytest.param(b"{", "PARSE_ERROR", id="cut-off"),
        pytest.param(b"\xff", "PARSE_ERROR", id="binary"),
        pytest.param(b'{"context": {"targetingKey": NaN}}', "PARSE_ERROR", id="nan"),
        pytest.param([], "INVALID_CONTEXT", id="list"),
        pytest.param({}, "INVALID_CONTEXT", id="no-context"),
        pytest.param({"context": []}, "INVALID_CONTEXT", id="context-list"),
        pytest.param({"context": {}}, "TARGETING_KEY_MISSING", id="no-key"),
        pytest.param({"context": {"targetingKey": ""}}, "TARGETING_KEY_MISSING", id="empty-key"),
        pytest.param({"context": {"targetingKey": 5}}, "INVALID_CONTEXT", id="number"),
        pytest.param(
            {"context": {"kind": "kind", "targetingKey": "a"}}, "INVALID_CONTEXT", id="kind"
        ),
        pytest.param({"context": {"kind": "multi"}}, "INVALID_CONTEXT", id="no-kinds"),
        pytest.param(
            {"context": {"kind": "multi", "user": {}}}, "TARGETING_KEY_MISSING", id="kind-no-key"
        ),
        pytest.param(
            {"context": {"kind": "multi", "user": "alice"}}, "INVALID_CONTEXT", id="kind-text"
        ),
    ],
)
@pytest.mark.parametrize("key", ["", "articles-service"])
def test_bad_context(shared_server: "Server", key: str, body: object, code: str) -> None:
    answer = ask(shared_server, key, body)
    assert answer.status_code == 400
    error = answer.json()
    assert (error["errorCode"], error.get("key", "")) == (code, key)
    assert error["errorDetails"]


@pytest.mark.parametrize("key", ["", "articles-service"])
def test_too_large(shared_server: "Server", key: str) -> None:
    answer = ask(shared_server, key, b" " * (MAX_CONTEXT + 1))
    assert answer.status_code == 413


def test_no_such_flag(shared_server: "Server") -> None:
    answer = ask(shared_server, "nope")
    assert (answer.status_code, answer.json()) == (
        404,
        {
            "key": "nope",
            "errorCode": "FLAG_NOT_FOUND",
            "errorDetails": "flag 'nope' does not exist",
        },
    )


@pytest.mark.parametrize("path", [PATH, f"{PATH}/articles-service"])
def test_preflight(shared_server: "Server", path: str) -> None:
    answer = httpx.options(shared_server.origin + path)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type", "if-none-match", "x-api-key"} <= set(
        allowed.split(", ")
    )
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_single_reads_are_counted(server: "Server", wait: Wait) -> None:
    """These clients send no events."""
    server.create("articles-service")
    server.create("images-service")
    ask(server)
    ask(server, "articles-service")
    statuses = "/api/v2/flag-statuses/cms/production"
    wait(
        lambda: server.http.get(f"{statuses}/articles-service").json()["name"] != "new", "the count"
    )
    assert server.http.get(f"{statuses}/images-service").json()["name"] == "new"


@pytest.mark.parametrize(
    ("given", "context"),
    [
        pytest.param({"targetingKey": "a"}, {"kind": "user", "key": "a"}, id="targeting-key"),
        pytest.param({"targetingKey": "a", "key": "b"}, {"kind": "user", "key": "a"}, id="both"),
        pytest.param(
            {"kind": "organization", "targetingKey": "a", "plan": 1},
            {"kind": "organization", "key": "a", "plan": 1},
            id="kind",
        ),
        pytest.param(
            {"kind": "multi", "targetingKey": "ignored", "user": {"targetingKey": "a"}},
            {"kind": "multi", "user": {"key": "a"}},
            id="multi",
        ),
    ],
)
def test_targeting_keys(given: dict[str, Any], context: dict[str, Any]) -> None:
    assert _with_key(given) == context


class TestProvider:
    """OpenFeature's own."""

    @pytest.fixture
    def client(self, server: "Server") -> Iterator[OpenFeatureClient]:
        key = bearer(server.credentials.sdk_key)
        provider = OFREPProvider(server.origin, headers_factory=lambda: key, timeout=20)
        api.set_provider(provider, "flags")
        yield api.get_client("flags")
        api.shutdown()
        api.clear_providers()
        provider.session.close()

    def test_values(self, server: "Server", client: OpenFeatureClient) -> None:
        alice = EvaluationContext("alice", {"plan": "internal"})
        ids = [v["_id"] for v in server.migration("publishing")["variations"]]
        server.create("articles-service")
        server.create(
            "limits",
            variations=[{"value": {"most": 5}, "name": "few"}, {"value": {"most": 50}}],
            defaults={"onVariation": 1, "offVariation": 0},
        )
        assert client.get_boolean_value("articles-service", True, alice) is False
        server.patch("articles-service", ON)
        assert client.get_boolean_value("articles-service", False, alice) is True
        server.patch("articles-service", OFF)
        assert client.get_boolean_value("articles-service", True, alice) is False
        rule = {"kind": "addRule", "variationId": ids[3], "clauses": [CLAUSE]}
        server.patch("publishing", ON, rule)
        details = client.get_string_details("publishing", "none", alice)
        assert (details.value, details.reason, details.variant) == (
            "live", Reason.TARGETING_MATCH, "3",
        )  # fmt: skip
        limits = client.get_object_details("limits", {}, alice)
        assert (limits.value, limits.variant) == ({"most": 5}, "few")
        assert limits.reason == Reason.DISABLED

    @pytest.mark.parametrize(
        ("flag", "context", "code"),
        [
            pytest.param("nope", EvaluationContext("alice"), ErrorCode.FLAG_NOT_FOUND, id="flag"),
            pytest.param(
                "publishing", EvaluationContext("alice"), ErrorCode.TYPE_MISMATCH, id="type"
            ),
            pytest.param(
                "publishing",
                EvaluationContext(None, {"plan": "x"}),
                ErrorCode.TARGETING_KEY_MISSING,
                id="key",
            ),
            pytest.param(
                "publishing",
                EvaluationContext("a", {"kind": "kind"}),
                ErrorCode.INVALID_CONTEXT,
                id="context",
            ),
        ],
    )
    def test_errors(
        self,
        server: "Server",
        client: OpenFeatureClient,
        flag: str,
        context: EvaluationContext,
        code: ErrorCode,
    ) -> None:
        server.migration("publishing")
        details = client.get_boolean_details(flag, True, context)
        assert (details.value, details.error_code) == (True, code)
