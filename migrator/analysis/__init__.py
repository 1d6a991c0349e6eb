"""Judging the new origin against the old one from the proxy's counters. Pure: no I/O, no clock."""
