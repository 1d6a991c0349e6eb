"""The flag-aware HTTP proxy in front of a monolith."""
