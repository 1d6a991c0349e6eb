"""The first protocol generation: `/all` streams put, patch and delete; polls return everything.

Source: launchdarkly-server-sdk 9.18 (`ldclient/impl/datasource`). Pieces are encoded once and
joined: a whole state is made of `"key":{…}` members.
"""

from collections.abc import Iterable

from flags.wire.encoding import compact, event


def everything(flags: Iterable[bytes], segments: Iterable[bytes]) -> bytes:
    """The body of a poll, from encoded members."""
    return b'{"flags":{' + b",".join(flags) + b'},"segments":{' + b",".join(segments) + b"}}"


def put(body: bytes) -> bytes:
    """`body` is that of a poll."""
    return event("put", b'{"path":"/","data":' + body + b"}")


def patch(kind: str, key: str, encoded: bytes) -> bytes:
    """`kind` is `flags` or `segments`."""
    return event("patch", b'{"path":' + compact(f"/{kind}/{key}") + b',"data":' + encoded + b"}")


def delete(kind: str, key: str, version: int) -> bytes:
    return event("delete", compact({"path": f"/{kind}/{key}", "version": version}))


def member(key: str, encoded: bytes) -> bytes:
    return compact(key) + b":" + encoded
