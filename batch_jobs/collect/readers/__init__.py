"""What the built-in collectors read."""
