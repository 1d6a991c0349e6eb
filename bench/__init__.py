"""Measurements of the product on this machine; see `make help`. Not installed with it."""
