"""What a migration does when things go right, and when they go wrong: eight behaviours, each shown
on the real sample under load, with checks that can fail.

Each module plays one; `catalogue.py` lists them. They use what any user has: the `migrator`
command, its JSON output, HTTP, and signals.
"""
