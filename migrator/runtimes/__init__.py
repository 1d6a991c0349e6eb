"""Orchestrators that run services."""
