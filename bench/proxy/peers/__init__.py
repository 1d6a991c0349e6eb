"""One file for each proxy that is measured: how it is set up and started."""
