"""The controller: observe, decide by the pure engine, record, act."""
