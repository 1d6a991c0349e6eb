"""Bodies of bounded size, also after decompression."""

import zlib

from starlette.requests import Request

from flags.errors import Rejected, TooLarge


async def limited_body(request: Request, limit: int) -> bytes:
    """At most `limit` bytes, before and after gzip. Raises `TooLarge` or `Rejected`."""
    zipped = request.headers.get("content-encoding", "").lower() == "gzip"
    inflate = zlib.decompressobj(wbits=31)
    body = bytearray()
    async for chunk in request.stream():
        try:
            body += inflate.decompress(chunk, limit + 1 - len(body)) if zipped else chunk
        except zlib.error:
            raise Rejected("body: Content-Encoding says gzip, but it is not") from None
        if len(body) > limit or inflate.unconsumed_tail:
            raise TooLarge(f"body: expected at most {limit} bytes")
    if zipped and not inflate.eof:
        raise Rejected("body: Content-Encoding says gzip, but it is cut off")
    return bytes(body)
