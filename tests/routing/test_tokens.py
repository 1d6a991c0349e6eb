"""JSON Web Tokens: which ones count."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from routing.config import JwtRules
from routing.outcomes import Outcomes
from routing.tokens import LEEWAY, REFUSED_FOR, TokenVerifier, parse_keys
from token_issuer import AUDIENCE, ISSUER, NOW, jwk, key_set, rsa_key, token, unsigned


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Verifier:
    """Of the claims `sub`, `plan`, `admin` and `level`; knows keys `a` of three types."""

    def __init__(self, **changes: Any) -> None:
        rules = {"jwks": "keys.json", "issuer": ISSUER, "audience": [AUDIENCE], **changes}
        self.clock, self.outcomes, self.asked = Clock(), Outcomes(), 0
        self.verifier = TokenVerifier(
            JwtRules.model_validate(rules),
            ("sub", "plan", "admin", "level"),
            self.clock,
            self.outcomes,
            self._ask,
        )
        self.verifier.use(key_set(*(jwk(each, "a") for each in ("RS256", "ES256", "EdDSA"))))

    def _ask(self) -> None:
        self.asked += 1

    def __call__(self, token: bytes) -> dict[str, bytes] | None:
        claims = self.verifier.claims(token)
        return None if claims is None else dict(claims)


ALICE = {"sub": b"alice"}
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": NOW + 3600}


def confused() -> bytes:
    """Signed by HMAC with the public RSA key as the secret."""
    public = rsa_key("a").public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = unsigned({"alg": "HS256", "typ": "JWT", "kid": "a"}, CLAIMS).rpartition(b".")[0]
    mac = base64.urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).rstrip(b"=")
    return signed + b"." + mac


@pytest.mark.parametrize(
    ("made", "claims"),
    [
        pytest.param(token(), ALICE, id="valid"),
        pytest.param(token("ES256"), ALICE, id="another-algorithm"),
        pytest.param(token(aud=["other", AUDIENCE]), ALICE, id="several-audiences"),
        pytest.param(token(header={"kid": None}), ALICE, id="no-key-id-and-one-key"),
        pytest.param(token(exp=NOW - LEEWAY + 1), ALICE, id="just-over-but-clocks-differ"),
        pytest.param(
            token(plan="pro", admin=True, level=7, sub="Zoë"),
            {"sub": "Zoë".encode(), "plan": b"pro", "admin": b"true", "level": b"7"},
            id="attributes",
        ),
        pytest.param(token(plan=["pro"], sub="a\x00b"), {}, id="no-texts"),
        pytest.param(token(exp=NOW - LEEWAY - 1), None, id="over"),
        pytest.param(token(exp=None), None, id="no-end"),
        pytest.param(token(exp=10**400), None, id="absurd-end"),
        pytest.param(token(nbf=NOW + LEEWAY + 1), None, id="not-yet"),
        pytest.param(token(iss="https://eve.example"), None, id="another-issuer"),
        pytest.param(token(iss=None), None, id="no-issuer"),
        pytest.param(token(aud="other"), None, id="another-audience"),
        pytest.param(token(aud=None), None, id="no-audience"),
        pytest.param(token(name="b", header={"kid": "a"}), None, id="key-of-another"),
        pytest.param(token(name="b"), None, id="unknown-key"),
        pytest.param(token("RS512"), None, id="algorithm-not-allowed"),
        pytest.param(token(header={"crit": ["exp"]}), None, id="critical-extension"),
        pytest.param(unsigned({"alg": "none", "kid": "a"}, CLAIMS), None, id="none"),
        pytest.param(unsigned({"alg": "None", "kid": "a"}, CLAIMS), None, id="None"),
        pytest.param(unsigned({"alg": "RS256", "kid": "a"}, CLAIMS), None, id="no-signature"),
        pytest.param(unsigned({"alg": ["RS256"], "kid": "a"}, CLAIMS), None, id="algorithm-list"),
        pytest.param(unsigned({"kid": "a"}, CLAIMS), None, id="no-algorithm"),
        pytest.param(confused(), None, id="public-key-as-secret"),
    ],
)
def test_claims(made: bytes, claims: dict[str, bytes] | None) -> None:
    verifier = Verifier()
    assert verifier(made) == claims
    assert verifier(made) == claims, "and again, from the cache"
    counted = verifier.outcomes.document()["tokens"]
    assert counted == {"valid": 2 * (claims is not None), "invalid": 2 * (claims is None)}


@pytest.mark.parametrize("algorithm", ["PS256", "RS384", "EdDSA"])
def test_other_algorithms(algorithm: str) -> None:
    verifier = Verifier(algorithms=[algorithm])
    assert verifier(token(algorithm)) == ALICE
    assert verifier(token("ES256")) is None


def test_an_audience_may_be_waived() -> None:
    assert Verifier(audience=None)(token(aud=None)) == ALICE


def test_a_cached_token_ends_in_time() -> None:
    verifier = Verifier()
    made = token(exp=NOW + 10)
    assert verifier(made) == ALICE
    verifier.clock.now += 10 + LEEWAY
    assert verifier(made) is None


def test_a_refused_token_is_looked_at_again() -> None:
    verifier = Verifier()
    made = token(nbf=NOW + LEEWAY + REFUSED_FOR)
    assert verifier(made) is None
    verifier.clock.now += REFUSED_FOR
    assert verifier(made) == ALICE


def test_keys_change() -> None:
    """An unknown key is asked for; what a removed key signed no longer counts."""
    verifier = Verifier()
    old, new = token(), token(name="b")
    assert (verifier(old), verifier(new), verifier.asked) == (ALICE, None, 1)
    assert verifier.verifier.use(key_set(jwk("RS256", "b")))
    assert not verifier.verifier.use(key_set(jwk("RS256", "b")))
    assert (verifier(old), verifier(new)) == (None, ALICE)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(jwk("RS256", "a", use="enc"), id="for-encryption"),
        pytest.param(jwk("RS256", "a", alg="RS512"), id="for-another-algorithm"),
        pytest.param(jwk("RS256", "a", d="AQAB"), id="private"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "a"}, id="secret"),
        pytest.param({"kty": "RSA", "n": "AQAB", "kid": "a"}, id="incomplete"),
        pytest.param({"kty": "RSA", "n": 1, "e": [], "kid": "a"}, id="wrong-types"),
        pytest.param(jwk("ES256", "a", crv="P-384"), id="another-curve"),
        pytest.param("RSA", id="no-object"),
    ],
)
def test_keys_of_no_use(key: Any) -> None:
    rules = Verifier().verifier.rules
    with pytest.raises(ValueError, match="no public key for RS256 or ES256"):
        parse_keys(key_set(key), rules)
    assert ("RS256", "b") in parse_keys(key_set(key, jwk("RS256", "b")), rules)


def test_a_short_key_counts_for_nothing() -> None:
    verifier = Verifier()
    verifier.verifier.use(key_set(jwk("RS256", "weak")))
    with pytest.warns(match="RSA"):
        made = token(name="weak")
    assert verifier(made) is None


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"{}", b'{"keys": 1}', b"[" * 100_000])
def test_no_key_set(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"Key Set|no public key"):
        parse_keys(text, Verifier().verifier.rules)


SHARED = Verifier()
VALID = token()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.binary(max_size=200))
def test_arbitrary_bytes(made: bytes) -> None:
    assert SHARED(made) is None


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "b64", "crit", "jwk", "x5u"]), JSON),
    st.sampled_from(["RS256", "ES256"]),
    JSON,
    st.binary(max_size=64),
)
def test_arbitrary_documents(header: Any, algorithm: str, payload: Any, end: bytes) -> None:
    assert SHARED(unsigned(header, payload, end)) is None
    assert SHARED(unsigned({"kid": "a", **header, "alg": algorithm}, payload, end)) is None


@given(st.data())
def test_altered(data: st.DataObject) -> None:
    """Cut short, a byte changed, parts in another order. The last character of the signature has
    bits that say nothing."""
    at = data.draw(st.integers(0, len(VALID) - 2))
    byte = data.draw(st.integers(0, 255))
    parts = data.draw(st.permutations(VALID.split(b".")))
    for altered in (
        VALID[:at],
        VALID[:at] + bytes((byte,)) + VALID[at + 1 :],
        b".".join(parts),
    ):
        assert altered == VALID or SHARED(altered) is None


@given(JSON)
def test_arbitrary_claims(value: Any) -> None:
    """Whatever an issuer says, it is a text or absent."""
    made = token(plan=value, sub=None)
    claims = SHARED(made)
    assert claims is not None
    assert all(b"\x00" not in text for text in claims.values())
    if isinstance(value, dict | list):
        assert not claims
