"""Ensembles of trees as operators of ONNX hold them: read into arrays, followed row by row, and written again."""
