"""What every program of the sample shares: storage, the feed between stores, HTTP, identity."""
