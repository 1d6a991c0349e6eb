"""The content of an answer as it was before it was packed (RFC 9110, 8.4).

Pure. Unpacking is bounded: a few bytes can stand for gigabytes.
"""

import zlib


class TooLarge(Exception):
    """More bytes than may be looked at."""


class Unreadable(Exception):
    """Packed in a way that is not known, or broken."""


def unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """`body` without its content coding. Raises TooLarge beyond `limit` bytes, Unreadable."""
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name in ("gzip", "x-gzip"):
        return _inflate(body, (31,), limit)
    if name == "deflate":
        # Some send it without the zlib header that RFC 9110, 8.4.1.2, asks for.
        return _inflate(body, (15, -15), limit)
    raise Unreadable(name)


def _inflate(body: bytes, formats: tuple[int, ...], limit: int) -> bytes:
    for bits in formats:
        unpacker = zlib.decompressobj(bits)
        try:
            data = unpacker.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(data) > limit:
            raise TooLarge
        if unpacker.eof and not unpacker.unused_data:
            return data
    raise Unreadable
