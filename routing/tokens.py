"""Claims of JSON Web Tokens (RFC 7519) whose signature, issuer, audience and time are right.

Pure; keys and the clock come in. PyJWT verifies; it takes some megabytes with the library below it,
so this module is imported only where tokens are configured. The keys are sorted by the algorithms
that the configuration allows before any token is looked at, so a token cannot choose how it is
verified (RFC 8725, 3.1): neither `none` nor a public key taken for a shared secret is among them.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeGuard

import jwt

from routing.config import JwtRules
from routing.config.tokens import Algorithm
from routing.outcomes import Outcomes
from routing.recent import Recent

MAX_KEYS = 64
LEEWAY = 60.0
"""Seconds that the issuer's clock may differ."""
REFUSED_FOR = 10.0
"""Seconds that the same bytes are refused without another look."""
CAPACITY = 10_000

_FITS: Final[Mapping[Algorithm, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Type and curve of the key that an algorithm needs (RFC 7518, 3.1; RFC 8037, 3.1)."""

_FOREVER: Final = 1e15
"""Seconds."""

Keys = Mapping[tuple[str, str | None], jwt.PyJWK]
"""By algorithm and key id; None: the only one for the algorithm."""


def parse_keys(text: bytes, rules: JwtRules) -> Keys:
    """The keys of a JSON Web Key Set that `rules` can use. Raises ValueError if there is none."""
    try:
        listed = json.loads(text)["keys"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise ValueError("not a JSON Web Key Set (RFC 7517, 5)") from None
    documents = listed[:MAX_KEYS] if isinstance(listed, list) else []
    keys: dict[tuple[str, str | None], jwt.PyJWK] = {}
    for algorithm in rules.algorithms:
        fitting = [
            (document.get("kid"), key)
            for document in documents
            if isinstance(document, dict) and (key := _key(document, algorithm)) is not None
        ]
        keys.update({(algorithm, kid): key for kid, key in fitting if isinstance(kid, str)})
        if len(fitting) == 1:
            keys[algorithm, None] = fitting[0][1]
    if not keys:
        raise ValueError(f"no public key for {' or '.join(rules.algorithms)} in it")
    return keys


def _key(document: dict[str, Any], algorithm: Algorithm) -> jwt.PyJWK | None:
    """None if it is not a public key for verifying by that algorithm."""
    kind, curve = _FITS[algorithm]
    if (
        "d" in document
        or document.get("kty") != kind
        or (curve is not None and document.get("crv") != curve)
        or document.get("use", "sig") != "sig"
        or document.get("alg", algorithm) != algorithm
    ):
        return None
    try:
        return jwt.PyJWK(document, algorithm)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return None


_Seen = tuple[float, Mapping[str, bytes] | None]
"""Until when that is so, in seconds since 1970; claims, or None: refused."""


class TokenVerifier:
    """By one configuration. Calls `on_unknown_key` for a token of a key that is not known."""

    def __init__(
        self,
        rules: JwtRules,
        wanted: Iterable[str],
        clock: Callable[[], float],
        outcomes: Outcomes,
        on_unknown_key: Callable[[], object],
    ) -> None:
        """`wanted`: names of claims. `clock`: seconds since 1970."""
        self.rules = rules
        self._wanted = frozenset(wanted)
        self._clock = clock
        self._outcomes = outcomes
        self._on_unknown_key = on_unknown_key
        self._text = b""
        self._keys: Keys = {}
        self._seen: Recent[bytes, _Seen] = Recent(CAPACITY)

    @property
    def has_keys(self) -> bool:
        return bool(self._keys)

    def use(self, text: bytes) -> bool:
        """Verify by this key set from now on; whether it is another one. Raises ValueError."""
        if text == self._text:
            return False
        self._keys = parse_keys(text, self.rules)
        self._text = text
        self._seen.clear()
        return True

    def claims(self, token: bytes) -> Mapping[str, bytes] | None:
        """The wanted claims as text; None if the token is not valid."""
        now = self._clock()
        digest = hashlib.sha256(token).digest()
        found = self._seen.get(digest)
        if found is None or found[0] <= now:
            found = self._look(token, digest, now)
        self._outcomes.count("tokens", "invalid" if found[1] is None else "valid")
        return found[1]

    def _look(self, token: bytes, digest: bytes, now: float) -> _Seen:
        seen: _Seen = now + REFUSED_FOR, None
        try:
            header = jwt.get_unverified_header(token)
            if header["alg"] in self.rules.algorithms:
                key = self._keys.get((header["alg"], header.get("kid")))
                if key is None:
                    self._on_unknown_key()
                    return seen
                payload = self._payload(token, key)
                end = _end(payload, now)
                if end is not None:
                    seen = end, _texts(payload, self._wanted)
        except (jwt.PyJWTError, KeyError, ValueError, RecursionError):
            pass
        self._seen.put(digest, seen)
        return seen

    def _payload(self, token: bytes, key: jwt.PyJWK) -> dict[str, Any]:
        # The time is our part, because it comes from the clock that was given.
        options: jwt.types.Options = {
            "require": ["exp"],
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
            "verify_aud": self.rules.audience is not None,
            "enforce_minimum_key_length": True,
        }
        payload: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            options=options,
            audience=self.rules.audience,
            issuer=self.rules.issuer,
        )
        return payload


def _end(payload: Mapping[str, Any], now: float) -> float | None:
    """When it is no longer valid; None if it is not valid now (RFC 7519, 4.1.4 and 4.1.5)."""
    end, start = payload.get("exp"), payload.get("nbf", 0)
    if not (_is_time(end) and _is_time(start)):
        return None
    return end + LEEWAY if start - LEEWAY <= now < end + LEEWAY else None


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and abs(value) < _FOREVER


def _texts(payload: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, bytes]:
    """Those of which a context can be made."""
    texts: dict[str, bytes] = {}
    for name in wanted:
        value = payload.get(name)
        text = value if isinstance(value, str) else None
        if isinstance(value, int | float):
            text = json.dumps(value)
        if text and "\x00" not in text:
            texts[name] = text.encode("utf-8", "replace")
    return texts
