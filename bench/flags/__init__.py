"""Measurements of the flag server, over its public protocols only: HTTP and the official SDK."""
