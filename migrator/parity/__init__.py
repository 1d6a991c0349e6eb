"""What the proxy's `/parity` says, for people and for other programs. Pure."""
