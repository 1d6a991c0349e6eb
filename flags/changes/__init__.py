"""Semantic patch: what may be changed in a flag or a segment, one class for each instruction. Pure.

Source: LaunchDarkly API documentation, "Update feature flag" and "Patch segment". Field names are
those of the wire.
"""
