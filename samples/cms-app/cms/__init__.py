"""The Daily Build: a content-management system, as one monolith and as the services it becomes.

It imports nothing of migrator: what it uses of a migration is LaunchDarkly's SDK, two headers and
the environment that any program gets.
"""
