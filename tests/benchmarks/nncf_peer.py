"""A program for an environment that has NNCF: its post-training quantization of an ONNX file.

Its arguments: the model, rows that calibrate as .npz, where to leave the result.
"""

import sys

import nncf
import numpy as np
import onnx

model, rows, target = sys.argv[1:]
with np.load(rows) as stored:
    inputs = {name: stored[name] for name in stored.files}
inputs = {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in inputs.items()}
count = len(next(iter(inputs.values())))
batches = [{name: value[at : at + 1] for name, value in inputs.items()} for at in range(count)]
onnx.save(nncf.quantize(onnx.load(model), nncf.Dataset(batches)), target)
