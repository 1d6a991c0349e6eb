"""The demonstration: the sample moves to services under load, and one service fails.

It uses what any user has: the `migrator` command, its JSON output, and HTTP.
"""
