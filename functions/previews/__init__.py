"""Tries recipes on samples."""
