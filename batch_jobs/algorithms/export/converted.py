"""What is done to every graph that a converter library made."""

import onnx

from batch_jobs.algorithms.learning import SCORES


def keep_scores(model: onnx.ModelProto) -> onnx.ModelProto:
    """Converters of trees put out (label, probabilities), or one value: only the last is kept, as `scores`."""
    scores = model.graph.output[-1]
    for node in model.graph.node:
        for position, name in enumerate(node.output):
            if name == scores.name:
                node.output[position] = SCORES
    scores.name = SCORES
    del model.graph.output[:-1]
    return model
