"""What every Lambda handler shares: HTTP errors, logging, events."""
