"""Users as SDKs sent them before there were kinds of contexts."""

from collections.abc import Mapping
from typing import Any, Final

_NOT_CUSTOM: Final = frozenset({"", "key", "kind", "anonymous", "_meta"})
_NOT_ATTRIBUTES: Final = frozenset({"kind", "custom", "privateAttributeNames", "_meta"})


def from_user(user: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a context of kind `user`, where custom attributes are like any other."""
    custom = user.get("custom")
    custom = custom if isinstance(custom, Mapping) else {}
    own = {k: v for k, v in user.items() if k not in _NOT_ATTRIBUTES and v is not None}
    return {
        **{k: v for k, v in custom.items() if k not in _NOT_CUSTOM},
        **own,
        "_meta": {"privateAttributes": user.get("privateAttributeNames")},
    }
