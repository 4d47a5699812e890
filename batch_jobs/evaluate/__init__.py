"""How good a model is and whether its export tells the same: metrics, importance, checks, card and report."""
