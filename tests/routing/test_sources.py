"""Values of a context that are in no field of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import ContextRules
from routing.context import CONTEXT_HEADER, ContextReader
from routing.networks import network_of
from routing.outcomes import Outcomes
from routing.sources import claims_of
from routing.tokens import TokenVerifier
from token_issuer import AUDIENCE, ISSUER, NOW, jwk, key_set, token

JWT = {"jwks": "keys.json", "issuer": ISSUER, "audience": [AUDIENCE]}
TOKEN = token(plan="pro").decode()


def reader(**rules: object) -> ContextReader:
    made = ContextRules.model_validate(rules)
    if made.jwt is None:
        return ContextReader(made)
    verifier = TokenVerifier(
        made.jwt, claims_of(made), lambda: NOW, Outcomes(), on_unknown_key=lambda: None
    )
    verifier.use(key_set(jwk("RS256", "a")))
    return ContextReader(made, verifier)


def document(
    contexts: ContextReader,
    fields: dict[str, str],
    query: bytes = b"",
    client: bytes = b"",
    *,
    edge: bool = True,
) -> dict[str, object]:
    """The context of a request."""
    seen = {name.encode(): value.encode() for name, value in fields.items()}
    preparation = contexts.preparation
    if edge:
        if preparation is not None:
            preparation.at_edge(seen, query, client)
        return dict(contexts.build(contexts.at_edge(seen)[0]).document)
    if preparation is not None:
        preparation.at_gateway(seen)
    return dict(contexts.build(contexts.at_gateway(seen)).document)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        pytest.param(b"a=1&user=alice&user=eve", "alice", id="first"),
        pytest.param(b"user=a%20%C3%AB+b", "a ë b", id="escapes"),
        pytest.param(b"user=", None, id="empty"),
        pytest.param(b"user=a%00b", None, id="would-forge-an-attribute"),
        pytest.param(b"user=" + b"a" * 2000, None, id="too-long"),
        pytest.param(b"", None, id="no-query"),
    ],
)
def test_query(query: bytes, key: str | None) -> None:
    made = document(reader(key=[{"query": "user"}], attributes={"a": {"query": "a"}}), {}, query)
    assert made["key"] == key or (key is None and made["anonymous"])
    assert "b" not in made


@pytest.mark.parametrize(
    ("address", "network"),
    [
        pytest.param(b"192.0.2.77", b"192.0.2.0/24", id="v4"),
        pytest.param(b"2001:db8:1:2ff:5::6", b"2001:db8:1:200::/56", id="v6"),
        pytest.param(b"::ffff:192.0.2.77", b"192.0.2.0/24", id="v4-in-v6"),
        pytest.param(b"fe80::1%eth0", b"fe80::/56", id="zone"),
        pytest.param(b"unknown", None, id="none"),
    ],
)
def test_network(address: bytes, network: bytes | None) -> None:
    assert network_of(address, 24, 56) == network
    made = document(reader(attributes={"network": {"client": {}}}), {}, client=address)
    assert made.get("network") == (network and network.decode())


@given(st.binary(max_size=60))
def test_an_arbitrary_address(address: bytes) -> None:
    found = network_of(address, 24, 56)
    assert found is None or b"/" in found


CLAIM = {"key": [{"claim": "sub"}], "attributes": {"plan": {"claim": "plan"}}}
ALICE = {"kind": "user", "key": "alice", "plan": "pro"}


@pytest.mark.parametrize(
    ("place", "fields", "found"),
    [
        pytest.param({}, {"authorization": f"Bearer {TOKEN}"}, True, id="bearer"),
        pytest.param({}, {"authorization": f"bearer  {TOKEN}"}, True, id="case-and-spaces"),
        pytest.param({}, {"authorization": f"Basic {TOKEN}"}, False, id="another-scheme"),
        pytest.param({}, {"authorization": TOKEN}, False, id="no-scheme"),
        pytest.param({}, {"authorization": "Bearer x.y.z"}, False, id="no-token"),
        pytest.param({}, {"x-user": "eve"}, False, id="absent"),
        pytest.param(
            {"token": {"header": "X-Token"}}, {"x-token": TOKEN}, True, id="a-field-of-its-own"
        ),
        pytest.param({"token": {"cookie": "t"}}, {"cookie": f"a=b; t={TOKEN}"}, True, id="cookie"),
    ],
)
def test_claims(place: dict[str, object], fields: dict[str, str], found: bool) -> None:
    contexts = reader(**CLAIM, jwt={**JWT, **place})
    made = document(contexts, fields)
    assert (made == ALICE) is found
    assert found or made["anonymous"]


def test_at_the_gateway() -> None:
    """A token that a service passes on counts. Its address, query, cookies are not the user's."""
    contexts = reader(
        key=[{"query": "user"}, {"claim": "sub"}],
        attributes={"plan": {"claim": "plan"}, "network": {"client": {}}},
        jwt=JWT,
    )
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert document(contexts, bearer, b"user=eve", b"192.0.2.1", edge=False) == ALICE
    nobody = document(contexts, {}, b"user=eve", b"192.0.2.1", edge=False)
    assert nobody == {"kind": "user", "key": "gateway", "anonymous": True}
    in_cookie = reader(**CLAIM, jwt={**JWT, "token": {"cookie": "t"}})
    assert document(in_cookie, {"cookie": f"t={TOKEN}"}, edge=False)["key"] == "gateway"
    header = contexts.build(contexts.at_edge({b":claim:sub": b"bob"})[0]).header.decode()
    given = {CONTEXT_HEADER.decode(): header, **bearer}
    assert document(contexts, given, edge=False)["key"] == "bob"


def test_sources_that_are_fields_need_no_preparation() -> None:
    rules = {"key": [{"cookie": "uid"}], "attributes": {"plan": {"header": "x-plan"}}}
    assert reader(**rules).preparation is None
    assert reader(**CLAIM, jwt=JWT).wanted == {"authorization"}
