"""Requests that come together are answered by one run of the model."""
