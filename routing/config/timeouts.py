"""How long the proxy waits for what, in seconds."""

from routing.config.base import Model, Seconds


class Timeouts(Model):
    """How long the proxy waits for what."""

    header: Seconds = 15.0
    """From the first byte of a request head to its end; then 408."""
    idle: Seconds = 75.0
    """A client connection without a request is closed."""
    connect: Seconds = 2.0
    """To an origin; then the origin counts as not reached."""
    response: Seconds = 60.0
    """From the request's end to the head of the origin's response; then 504 or the fallback."""
    stall: Seconds = 60.0
    """Without any progress of a body in either direction; then the connection is cut. Tunnels and
    streams of server-sent events may be silent."""
    retry: Seconds = 10.0
    """How long an origin that refuses connections is tried again; then 503."""
    drain: Seconds = 10.0
    """How long requests in flight may still run at a stop."""
    total: Seconds | None = None
    """From the end of a request head to the end of its answer; then 504, or, once an answer has
    begun, the connection is cut. None: no such limit. Tunnels (WebSocket) are exempt."""
