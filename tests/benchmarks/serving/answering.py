"""What every peer does with a request: tensors of the Open Inference Protocol in JSON, through ONNX Runtime.

Runs in the peers' own environments: nothing of AI Mass is there.
"""

import os

import numpy as np
import onnxruntime as ort

_DTYPES = {"FP32": np.float32, "FP64": np.float64, "UINT8": np.uint8, "INT64": np.int64, "BYTES": object}


def load():
    """The session of MODEL, with one thread, as all have."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])


def answer(session, document):
    """The outputs as JSON has them."""
    feed = {t["name"]: np.array(t["data"], _DTYPES[t["datatype"]]).reshape(t["shape"]) for t in document["inputs"]}
    names = [output.name for output in session.get_outputs()]
    outputs = zip(names, session.run(names, feed), strict=True)
    return {
        "model_name": "model",
        "outputs": [{"name": name, "shape": list(v.shape), "data": v.ravel().tolist()} for name, v in outputs],
    }
