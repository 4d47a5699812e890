"""Reads a source once."""
