"""The local runtime: processes on this machine, supervised."""
