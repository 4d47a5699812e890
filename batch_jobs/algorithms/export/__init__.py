"""One ONNX file from raw columns to answer: the encoding in front, the model, and the label behind it."""
