"""Moves a monolith to microservices a few percent of users at a time, by feature flags."""

__version__ = "0.1.0"
