"""Graphs of different origins brought to one version of ONNX, so that one graph can be made of them."""

from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import defs, inliner, version_converter

from batch_jobs.algorithms.export.builder import ML_DOMAIN, ML_OPSET, OPSETS
from batch_jobs.algorithms.export.trees import writing

_STANDARD = ("", "ai.onnx")
# What an older version of the operator says, the newer one says with the same attributes.
_GROWN = frozenset({"LabelEncoder"})


def to_common(models: Sequence[onnx.ModelProto]) -> tuple[list[onnx.ModelProto], Mapping[str, int]]:
    """Models without functions, and the opsets that all of them are written for then: ours, or newer ones where one of
    them needs these.

    Raises:
        ValueError: One of them cannot be brought there.
    """
    inlined = [inliner.inline_local_functions(model) if model.functions else model for model in models]
    opsets: dict[str, int] = dict(OPSETS)
    for model in inlined:
        for domain, version in _opsets(model).items():
            opsets[domain] = max(opsets.get(domain, 0), version)
    return [_convert(model, opsets) for model in inlined], opsets


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    return {"" if opset.domain in _STANDARD else opset.domain: opset.version for opset in model.opset_import}


def _convert(model: onnx.ModelProto, opsets: Mapping[str, int]) -> onnx.ModelProto:
    if model.graph.sparse_initializer:
        raise ValueError("it has sparse constants")
    if opsets.get(ML_DOMAIN, 0) >= ML_OPSET:
        model = _renew_trees(model)
    own = _opsets(model)
    for domain, version in own.items():
        if domain and version != opsets[domain] and (changed := _find_changed(model, domain, version, opsets[domain])):
            raise ValueError(
                f"its operators {', '.join(changed)} of {domain} {version} mean something else in version "
                f"{opsets[domain]}, which another model needs"
            )
    if own.get("", opsets[""]) == opsets[""]:
        return model
    try:
        return version_converter.convert_version(model, opsets[""])
    except (RuntimeError, version_converter.ConvertError) as error:
        raise ValueError(
            f"it is written for opset {own['']} of ONNX and cannot be brought to {opsets['']}: {str(error)[:200]}"
        ) from error


def _renew_trees(model: onnx.ModelProto) -> onnx.ModelProto:
    """With trees as the operator of tensors, which takes the place of those of lists in version 5. As it is where they
    cannot be written so."""
    if _opsets(model).get(ML_DOMAIN, ML_OPSET) >= ML_OPSET:
        return model
    try:
        return writing.renew(model)
    except ValueError:
        return model


def _find_changed(model: onnx.ModelProto, domain: str, version: int, wanted: int) -> list[str]:
    """The operators that have other words in the version that is wanted."""
    used = {node.op_type for node in _nodes(model.graph) if node.domain == domain} - _GROWN
    return sorted(name for name in used if _since(name, domain, version) != _since(name, domain, wanted))


def _since(name: str, domain: str, version: int) -> int | None:
    try:
        schema = defs.get_schema(name, version, domain)
    except defs.SchemaError:
        return None
    return None if schema.deprecated else int(schema.since_version)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
