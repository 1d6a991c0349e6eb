"""Do both sides give the same answers? Comparing mirrored reads, and what is learned of it.

`compare` and what it uses decide and are pure; `comparing` runs it beside the requests of a worker.
"""
