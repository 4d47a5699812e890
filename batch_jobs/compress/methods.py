"""The methods of compression: those of the house, and those of installed packages.

A package adds one by an entry point in the group `aimass.compression_methods` that names a class without arguments
which satisfies `contract.Method`; it takes the place of the house's method of the same name.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points

from aimass_core.domain.compression import CompressionMethod
from batch_jobs.compress.contract import Method

ENTRY_POINTS = "aimass.compression_methods"
_BUILT_IN = {
    CompressionMethod.OPTIMIZATION: "batch_jobs.compress.optimization:Optimization",
    CompressionMethod.TRIMMING: "batch_jobs.compress.trimming:Trimming",
    CompressionMethod.QUANTIZATION: "batch_jobs.compress.quantization:Quantization",
    CompressionMethod.FACTORIZATION: "batch_jobs.compress.networks:Factorization",
    CompressionMethod.SPARSIFICATION: "batch_jobs.compress.networks:Sparsification",
    CompressionMethod.FINETUNING: "batch_jobs.compress.networks:Finetuning",
    CompressionMethod.DISTILLATION: "batch_jobs.compress.distillation:Distillation",
}


def load_methods(wanted: Sequence[CompressionMethod] | None) -> list[Method]:
    """Those that are asked for, or all; what a method needs is imported now. What sparsification leaves is of no use
    until it is trained on: finetuning comes with it.

    Raises:
        TypeError: An entry point names something that is no method.
    """
    found: dict[CompressionMethod, Method] = {}
    if wanted is not None and CompressionMethod.SPARSIFICATION in wanted:
        wanted = [*wanted, CompressionMethod.FINETUNING]
    for name, place in _BUILT_IN.items():
        if wanted is None or name in wanted:
            module, _, member = place.partition(":")
            found[name] = getattr(import_module(module), member)()
    for point in entry_points(group=ENTRY_POINTS):
        made = point.load()()
        method = getattr(made, "method", None)
        if not isinstance(method, CompressionMethod):
            raise TypeError(f"entry point {point.name} = {point.value!r} of {ENTRY_POINTS} is no compression method")
        if wanted is None or method in wanted:
            found[method] = made
    return list(found.values())
