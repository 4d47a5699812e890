"""What goes into the zip of an exported model as it is: programs that need onnxruntime and numpy alone."""
