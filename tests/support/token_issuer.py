"""An issuer of JSON Web Tokens, with keys made once for all tests."""

import base64
import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example", "shop"
NOW = 1_700_000_000


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024 if name == "weak" else 2048)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key(name: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def key_of(algorithm: str, name: str) -> Any:
    return {"E": ed_key if algorithm == "EdDSA" else ec_key}.get(algorithm[0], rsa_key)(name)


def jwk(algorithm: str, name: str, **more: object) -> dict[str, Any]:
    """The public key `name`, whose name is its id."""
    public = key_of(algorithm, name).public_key()
    kind = OKPAlgorithm if algorithm == "EdDSA" else ECAlgorithm
    document = (RSAAlgorithm if algorithm[0] in "RP" else kind).to_jwk(public, as_dict=True)
    return {**document, "kid": name, **more}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def token(
    algorithm: str = "RS256", name: str = "a", header: dict[str, Any] | None = None, **claims: Any
) -> bytes:
    """Signed by the key `name`; valid for an hour unless `claims` say otherwise. What is None in
    `claims` or `header` is left out."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 3600, **claims}
    payload = {name: value for name, value in said.items() if value is not None}
    headers = {k: v for k, v in {"kid": name, **(header or {})}.items() if v is not None}
    return jwt.encode(payload, key_of(algorithm, name), algorithm, headers=headers).encode()


def unsigned(header: object, payload: object, signature: bytes = b"") -> bytes:
    """A token of any two documents."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
