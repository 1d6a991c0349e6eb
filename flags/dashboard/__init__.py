"""The dashboard: server-rendered pages on which a person changes flags.

`pages` makes the blueprint; `session` signs people in. Every change is a list of semantic patch
instructions and goes through the store like everybody's. Pages work without script; with it they
follow what others change.
"""
