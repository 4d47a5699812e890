"""Linear models on scikit-learn."""
