"""A server of the LaunchDarkly protocol that runs anywhere."""
