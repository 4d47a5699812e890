"""Pre- and post-processing in Python around a model, which a package adds by an entry point:

    [project.entry-points."aimass.transforms"]
    cautious = "aimass_cautious:Cautious"

It names a class (or a function) that makes a `Transform`, once in each worker process of the container. Only there such
code runs: the API and the functions hold and open nothing but ONNX graphs.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np

from aimass_core.domain.signatures import Signature, TensorSpec
from aimass_core.errors import AimassError, InternalError, InvalidDataError, UnavailableError
from aimass_core.inference.serving.model import NUMPY_TYPES, AnyModel, Array, Tensors

ENTRY_POINTS = "aimass.transforms"
_log = logging.getLogger(__name__)


class Transform(Protocol):
    """Tensors have their names, datatypes and rows as the model's signature says, before and after.

    Requests that come at the same time are one call, so each row is for itself. A ValueError: a request that is wrong;
    its words are for callers. Whatever else is raised is a fault of the transform.
    """

    def before(self, inputs: Tensors) -> Tensors:
        """What the model is to be asked in place of `inputs`."""

    def after(self, inputs: Tensors, outputs: Tensors) -> Tensors:
        """What the caller gets in place of all `outputs` of the model to what `before` made."""


def installed() -> list[str]:
    """The names that packages here give transforms. Imports none."""
    return sorted(point.name for point in entry_points(group=ENTRY_POINTS))


def wrap(model: AnyModel, name: str) -> AnyModel:
    """The model with a transform around it. Raises UnavailableError where that cannot be made."""
    point = next((each for each in entry_points(group=ENTRY_POINTS) if each.name == name), None)
    if point is None:
        known = ", ".join(installed()) or "none"
        raise UnavailableError(f"There is no transform {name!r}; installed are: {known}. Install its package.")
    try:
        transform: Transform = point.load()()
    except Exception as error:
        _log.exception("the transform %s cannot be made", name)
        raise UnavailableError(
            f"The transform {name!r} cannot be made ({type(error).__name__}): see the log."
        ) from error
    return TransformedModel(model=model, transform=transform, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformedModel:
    """Answers as `model` does, through a transform."""

    model: AnyModel
    transform: Transform
    name: str

    @property
    def signature(self) -> Signature:
        """The model's."""
        return self.model.signature

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel. Raises InvalidDataError for what the transform refuses, InternalError for its faults."""
        num_rows = len(next(iter(inputs.values())))
        try:
            asked = self.transform.before(inputs)
            asked = self._check("before", asked, self.signature.inputs, num_rows)
            everything = [spec.name for spec in self.signature.outputs]
            answered = self.model.run(asked, outputs=everything, seconds=seconds)
            given = self._check("after", self.transform.after(asked, answered), self.signature.outputs, num_rows)
        except AimassError:
            raise
        except ValueError as error:
            raise InvalidDataError(f"The transform {self.name!r} refuses the request: {error}") from error
        except Exception as error:
            _log.exception("the transform %s failed", self.name)
            raise InternalError(
                f"The transform {self.name!r} failed ({type(error).__name__}): its log says why."
            ) from error
        return {name: given[name] for name in outputs}

    def _check(self, method: str, found: Tensors, specs: Sequence[TensorSpec], num_rows: int) -> dict[str, Array]:
        wanted: Mapping[str, TensorSpec] = {spec.name: spec for spec in specs}
        if not isinstance(found, Mapping) or found.keys() != wanted.keys():
            raise self._fault(method, f"the tensors {', '.join(sorted(wanted))}")
        for name, spec in wanted.items():
            array = found[name]
            dtype = NUMPY_TYPES[spec.datatype]
            # Texts may be of NumPy's own kinds too.
            is_like = array.dtype == dtype or (dtype is np.object_ and array.dtype.kind in "UT")
            if len(array) != num_rows or array.ndim != len(spec.shape) or not is_like:
                raise self._fault(method, f"{name} as {spec.datatype} {spec.shape} with {num_rows} rows")
        return {name: array.astype(NUMPY_TYPES[wanted[name].datatype], copy=False) for name, array in found.items()}

    def _fault(self, method: str, wanted: str) -> InternalError:
        return InternalError(f"{method}() of the transform {self.name!r} has to return {wanted}, and did not.")
