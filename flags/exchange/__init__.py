"""A whole environment as one document: our own, LaunchDarkly's data file or REST API."""
