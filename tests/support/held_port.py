"""A port whose owner does not listen at the moment."""

import socket


def hold(port: int) -> socket.socket:
    """Connections to `port` are refused until this is closed, and no other program gets it, which
    could answer in its owner's place."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held
