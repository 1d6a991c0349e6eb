"""Readers, editors and API clients: a seeded, bounded load that remembers what was acknowledged."""
