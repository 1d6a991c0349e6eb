"""A whole migration on a virtual clock, through the real engine, watch and verdict. Pure."""
