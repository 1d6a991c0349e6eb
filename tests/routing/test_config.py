"""What the configuration document may say."""

import json

import pytest

from routing.config import ProxyConfig, parse_config
from routing.errors import InvalidConfig

LEAST = {
    "migration": "test",
    "listen": {"port": 0},
    "gateway": {"port": 0},
    "monolith": "http://127.0.0.1:1",
}

JWT = {"jwks": "keys.json", "issuer": "https://issuer.example", "audience": ["shop"]}


def parsed(**changes: object) -> ProxyConfig:
    return parse_config(json.dumps({**LEAST, **changes}), "routes.json")


def test_defaults() -> None:
    config = parsed()
    limits = config.limits
    assert (limits.request_line, limits.head, limits.fields) == (8192, 65536, 100)
    assert config.mirroring.enabled
    assert config.second_writes.enabled
    assert config.second_writes.fsync, "what was acknowledged survives a power failure"
    assert (limits.body, limits.connections_per_client, config.timeouts.total) == (None, 0, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"limits": {"head": 1}}, "limits.head: ", id="too-small"),
        pytest.param({"limits": {"body": -1}}, "limits.body: ", id="negative-body"),
        pytest.param({"limits": {"line": 1}}, "limits.line: ", id="unknown"),
        pytest.param(
            {"limits": {"request_line": 1024, "head": 512}}, "must not exceed head", id="line>head"
        ),
        pytest.param(
            {"context": {"key": [{"claim": "sub"}]}}, "'sub' needs `jwt`", id="claim-of-no-token"
        ),
        pytest.param(
            {"context": {"jwt": {**JWT, "jwks": "http://issuer.example/keys"}}},
            "jwks: .*expected an https address, or http on loopback",
            id="keys-in-the-clear",
        ),
        pytest.param(
            {"context": {"jwt": {**JWT, "jwks": "http://localhost:x@issuer.example/keys"}}},
            "jwks: .*expected an address without user and password",
            id="keys-of-somebody-else",
        ),
        pytest.param(
            {"context": {"jwt": {**JWT, "algorithms": ["HS256"]}}}, "algorithms", id="secret"
        ),
        pytest.param(
            {"context": {"jwt": {"jwks": "f", "issuer": "i"}}}, "jwt.audience: ", id="for-anybody"
        ),
        pytest.param({"decisions": {"carry": False, "baggage": True}}, "needs carry", id="empty"),
        pytest.param(
            {"expose_decision": {"networks": ["10.0.0.1/8"]}}, "has host bits set", id="no-network"
        ),
        pytest.param({"mirroring": {"concurrency": 0}}, "mirroring.concurrency: ", id="no-mirrors"),
        pytest.param({"second_writes": {"body": -1}}, "second_writes.body: ", id="no-body"),
        pytest.param({"timeouts": {"total": 0}}, "timeouts.total: ", id="no-time"),
    ],
)
def test_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        parsed(**changes)
