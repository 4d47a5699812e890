"""Neural networks made smaller on their ONNX graph itself, whatever framework exported it."""

from batch_jobs.compress.networks.factorization import Factorization
from batch_jobs.compress.networks.finetuning import Finetuning
from batch_jobs.compress.networks.sparsification import Sparsification
from batch_jobs.compress.networks.training import finetune

__all__ = ["Factorization", "Finetuning", "Sparsification", "finetune"]
