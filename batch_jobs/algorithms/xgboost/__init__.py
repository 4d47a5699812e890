"""Gradient-boosted trees on XGBoost."""
