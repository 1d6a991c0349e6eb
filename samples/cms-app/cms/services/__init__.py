"""The services that the monolith becomes: each a program with a store of its own."""
