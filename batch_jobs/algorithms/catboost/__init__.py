"""Gradient-boosted trees of one question a level, on CatBoost."""
