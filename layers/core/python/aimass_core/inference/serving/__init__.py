"""From an endpoint's name to a loaded model: lookup, verification, cache."""
