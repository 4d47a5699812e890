"""Serves models: the Open Inference Protocol v2 and friendly rows, on ONNX Runtime."""

import gc

# NOTE: what is imported stays: to look for garbage in it, again and again as it grows, took an eighth of a cold start.
gc.disable()
try:
    from functions.predictions import app as app
finally:
    gc.freeze()
    gc.enable()
