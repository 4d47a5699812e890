"""Nearest centroids: an example of an algorithm in a package of its own."""
