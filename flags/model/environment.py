"""Projects, and their environments with the keys that SDKs connect with."""

import secrets
from typing import Annotated

from pydantic import Field

from flags.model.base import Key, Model, Tags, Text

Secret = Annotated[str, Field(min_length=16, max_length=256, repr=False)]
ClientSideId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}([0-9a-f]{8})?$")]


class Project(Model):
    key: Key
    name: Text
    tags: Tags = ()


class Environment(Model):
    project: Key
    key: Key
    name: Text
    tags: Tags = ()
    color: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{6}$")] = "417505"
    sdk_key: Secret
    """Of server-side SDKs; not shown to viewers."""
    mobile_key: Secret
    client_side_id: ClientSideId
    """Of browser SDKs; not a secret."""
    require_comments: bool = False
    """Changes without a comment are refused."""
    confirm_changes: bool = False
    """The dashboard shows a preview before each change."""
    secure_mode: bool = False
    """Browser SDKs must send the HMAC of their context, `h`."""


def new_environment(project: str, key: str, name: str) -> Environment:
    """With new keys."""
    return Environment(
        project=project,
        key=key,
        name=name,
        sdk_key=f"sdk-{secrets.token_hex(16)}",
        mobile_key=f"mob-{secrets.token_hex(16)}",
        client_side_id=secrets.token_hex(12),
    )
