"""What SDKs have open: event streams, fed by one writer on one event loop."""
