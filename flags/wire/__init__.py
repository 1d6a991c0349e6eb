"""What goes over the wire to SDKs: pure functions from the model to JSON and to event streams."""
