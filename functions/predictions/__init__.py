"""Serves models: the Open Inference Protocol v2 and friendly rows, on ONNX Runtime."""
