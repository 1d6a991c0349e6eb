"""The context that a client-side request is about."""

import base64
import binascii
import hmac
from collections.abc import Mapping

from flags.errors import Rejected
from flags.evaluation.context import Context
from flags.model import Environment
from flags.streams.client import Available, for_browsers


def from_path(text: str) -> Context:
    """From base64url of JSON, padded or not (RFC 4648, section 5). Raises `Rejected`."""
    try:
        padded = text + "=" * (-len(text) % 4)
        document = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("context: expected base64url of its JSON") from None
    return Context.loads(document)


def require_hash(
    environment: Environment, context: Context, query: Mapping[str, str], available: Available
) -> None:
    """In secure mode a browser proves that its page's server knows the context.

    `h` is the HMAC-SHA256 of the fully qualified key with the SDK key. Raises `Rejected`.
    """
    if not environment.secure_mode or available is not for_browsers:
        return
    key = environment.sdk_key.encode()
    wanted = hmac.new(key, context.canonical_key.encode(), "sha256").hexdigest()
    if not hmac.compare_digest(query.get("h", "").encode(), wanted.encode()):
        raise Rejected("h: this environment is in secure mode, and the hash does not match")
