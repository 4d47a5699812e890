"""Feature engineering: recipes fitted on training rows, each of them a piece of an ONNX graph.

There is one implementation: the graph. Training runs it in ONNX Runtime as serving does, so that no rounding can come
between the two; the tests hold each recipe to scikit-learn's or numpy's own answer.
"""
