"""The rollout engine: what happened is a log of events, what to do follows from its fold. Pure."""
