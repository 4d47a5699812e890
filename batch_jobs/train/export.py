"""A trained model as the bytes of one ONNX file."""

from batch_jobs.algorithms.export.assembly import assemble, name_inputs
from batch_jobs.algorithms.export.encoding_graphs import build_encoding_graph
from batch_jobs.train.fitting import Predictor
from batch_jobs.train.material import Material


def export(predictor: Predictor, material: Material) -> bytes:
    """From raw columns, or pixels, to the answer."""
    names = name_inputs(column.name for column in material.columns)
    model = predictor.fitted.to_onnx()
    if predictor.encoding is None:
        return assemble(None, model, material.target, predictor.scale, image_input=names[material.columns[0].name])
    return assemble(build_encoding_graph(predictor.encoding, names), model, material.target, predictor.scale)
