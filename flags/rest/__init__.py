"""LaunchDarkly's REST API: the part that reads and changes flags."""
