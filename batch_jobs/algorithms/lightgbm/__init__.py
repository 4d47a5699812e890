"""Gradient-boosted trees on LightGBM."""
