"""One module for each family of formats. They run in the process that opens models, never in the job's own."""

from collections.abc import Callable

from aimass_core.domain.model_imports import ImportFormat
from batch_jobs.importing.contract import Conversion, Order, Samples

Convert = Callable[[Order, Samples | None], Conversion]


def find(format_: ImportFormat) -> Convert:
    """Imports the libraries of that format only."""
    match format_:
        case ImportFormat.ONNX:
            from batch_jobs.importing.converters.onnx_files import convert
        case ImportFormat.KERAS | ImportFormat.SAVED_MODEL:
            from batch_jobs.importing.converters.tensorflow_files import convert
        case ImportFormat.TORCHSCRIPT | ImportFormat.SAFETENSORS:
            from batch_jobs.importing.converters.torch_files import convert
        case ImportFormat.XGBOOST:
            from batch_jobs.importing.converters.xgboost_files import convert
        case ImportFormat.LIGHTGBM:
            from batch_jobs.importing.converters.lightgbm_files import convert
        case ImportFormat.SKLEARN:
            from batch_jobs.importing.converters.sklearn_files import convert
        case _:
            raise ValueError(f"no converter of {format_}")
    return convert
