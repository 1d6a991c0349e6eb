"""Forms become semantic patch instructions, and what is stored becomes forms. Pure.

A draft is what a form shows: made from what is stored, or read from what was sent, so that nothing
typed is lost when it is refused.
"""
