"""A trained model as the bytes of one ONNX file."""

from batch_jobs.algorithms.export.assembly import assemble, name_inputs
from batch_jobs.train.fitting import Predictor
from batch_jobs.train.material import Material


def export(predictor: Predictor, material: Material) -> bytes:
    """From raw columns, or pixels, to the answer."""
    names = name_inputs(column.name for column in material.columns)
    encoding = predictor.encoder.to_onnx(names)
    return assemble(encoding, predictor.fitted.to_onnx(), material.target, predictor.scale)
