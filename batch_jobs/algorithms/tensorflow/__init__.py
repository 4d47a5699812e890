"""Networks in TensorFlow, by Keras 3."""

import os

# NOTE: read when TensorFlow and Keras are imported, which is after this: TensorFlow's logs of the host go nowhere, and
# Keras's backend is the one whose export is exact.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
