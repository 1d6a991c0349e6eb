"""What SDKs call: flags as streams and polls, evaluated flags, and posts of events."""
