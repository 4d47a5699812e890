"""Networks in TensorFlow, by Keras 3."""
