"""Ports implemented, one module per technology."""
