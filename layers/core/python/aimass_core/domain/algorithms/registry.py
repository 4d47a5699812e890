"""The one table of algorithms: the built-in ones, and those of installed packages."""

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from aimass_core.domain.algorithms import linear, networks, recurrent, series, trees
from aimass_core.domain.algorithms.contract import AlgorithmInfo, AlgorithmSpec
from aimass_core.domain.schemas import DatasetKind
from aimass_core.errors import ErrorDetail, InvalidRequestError

ENTRY_POINTS = "aimass.algorithms"
_BUILT_IN = (
    trees.XGBOOST,
    trees.LIGHTGBM,
    trees.CATBOOST,
    trees.RANDOM_FOREST,
    trees.EXTRA_TREES,
    linear.LINEAR,
    networks.MLP,
    networks.CNN,
    recurrent.RNN,
    series.FCN,
    series.NLINEAR,
)


@cache
def load_all() -> Mapping[str, AlgorithmSpec]:
    """Every algorithm by name. A package cannot take a built-in algorithm's name.

    Raises:
        TypeError: An entry point names something else than an `AlgorithmSpec`.
        ValueError: Two algorithms have one name.
    """
    specs = {spec.name: spec for spec in _BUILT_IN}
    for point in entry_points(group=ENTRY_POINTS):
        spec = point.load()
        if not isinstance(spec, AlgorithmSpec):
            raise TypeError(f"entry point {point.name} = {point.value!r} of {ENTRY_POINTS} is not an AlgorithmSpec")
        if spec.name in specs:
            raise ValueError(
                f"entry point {point.value!r} of {ENTRY_POINTS}: there is an algorithm {spec.name!r} already"
            )
        specs[spec.name] = spec
    return specs


def find(name: str) -> AlgorithmSpec:
    """One algorithm. Raises InvalidRequestError where there is none of that name."""
    specs = load_all()
    if name not in specs:
        close = difflib.get_close_matches(name, specs, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(specs)}."
        raise InvalidRequestError(
            f"There is no algorithm {name!r}. {hint}",
            details=[ErrorDetail(location="body.spec.algorithm", message=f"must be one of {', '.join(specs)}")],
        )
    return specs[name]


def fitting(kind: DatasetKind) -> list[str]:
    """The names of those that can learn from such a dataset."""
    return [spec.name for spec in load_all().values() if spec.fits(kind)]


def distributed() -> list[str]:
    """The algorithms that several machines can train together, and the framework each of them needs for it."""
    return [
        f"{spec.name} ({framework})"
        for spec in load_all().values()
        for framework, implementation in spec.implementations.items()
        if implementation.is_distributed
    ]


def streamed() -> list[str]:
    """The algorithms that learn from data larger than memory, and the framework each of them needs for it."""
    return [
        f"{spec.name} ({framework})"
        for spec in load_all().values()
        for framework, implementation in spec.implementations.items()
        if implementation.is_streamed
    ]


def list_infos() -> list[AlgorithmInfo]:
    """All of them as the API answers them."""
    return [to_info(spec) for spec in load_all().values()]


def to_info(spec: AlgorithmSpec) -> AlgorithmInfo:
    """A spec as the API answers it."""
    return AlgorithmInfo(
        name=spec.name,
        description=(spec.hyperparameters.__doc__ or "").strip(),
        kinds=list(spec.kinds),
        tasks=list(spec.tasks),
        frameworks=list(spec.implementations),
        distributed=[name for name, made in spec.implementations.items() if made.is_distributed],
        hyperparameters=spec.hyperparameters.model_json_schema(),
        space=dict(spec.space),
    )
