"""From raw columns to what an algorithm learns from, in numpy and, equal to it, in ONNX: one encoder a kind of data."""
