"""Answers with models: loading, the Open Inference Protocol, friendly rows. Needs onnxruntime and numpy only."""
