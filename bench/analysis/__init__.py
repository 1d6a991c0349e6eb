"""Simulated rollouts through the controller's own statistics. Needs no server and no network."""
