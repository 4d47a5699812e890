"""Friendly rows: records, CSV and images in, labels and probabilities out."""
