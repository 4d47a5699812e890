"""How training data is changed at random, so that a network learns what does not matter."""
