"""The algorithms: a registry, one folder per framework, and the export to ONNX that they share."""
