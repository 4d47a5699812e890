"""The job kind `train`: from channels to one checked ONNX file and all that describes it."""

from batch_jobs.train.workflow import run

__all__ = ["run"]
