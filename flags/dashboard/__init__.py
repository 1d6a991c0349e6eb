"""The dashboard: server-rendered pages on which a person changes flags."""
