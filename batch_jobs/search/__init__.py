"""Hyperparameter search: where studies are kept, and how trials are asked for and told."""
