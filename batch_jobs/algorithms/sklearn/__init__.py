"""Linear models and forests on scikit-learn."""
