"""Folders of models: `model.onnx` and what describes it, there, in a folder for each model, or for each version."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from aimass_core.domain import goldens, graph_check
from aimass_core.domain.endpoints import ServedMember
from aimass_core.domain.fusion import ServingGraph
from aimass_core.domain.graph_check import MAX_MODEL_BYTES, GraphError
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Golden, Signature
from aimass_core.errors import DeadlineExceededError, InvalidRequestError, UnavailableError
from aimass_core.inference import golden
from aimass_core.inference.serving.fusion import LoadedFusion
from aimass_core.inference.serving.model import AnyModel, Combines, LoadedModel, load_model

MEMBERS = "members"
"""Of a fusion that is served apart: a folder for each, by its name."""
SUMS = "SHA256SUMS"
"""As `sha256sum` writes them; where they are there, they hold."""
_NUMBER = re.compile(r"[1-9][0-9]{0,7}")
_GOLDEN_SECONDS = 60.0


def find_models(root: Path, *, name: str) -> dict[str, dict[int, Path]]:
    """The folders of every version of every model. `name`: of the model, where `root` is one model's folder."""
    if versions := find_versions(root):
        return {name: versions}
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {path.name: versions for path in folders if (versions := find_versions(path))}


def find_versions(folder: Path) -> dict[int, Path]:
    """Those of one model, by number; empty where it is none. Files without a number are version 1."""
    if (folder / ArtifactName.MODEL).is_file():
        return {1: folder}
    if not folder.is_dir():
        return {}
    return {
        int(path.name): path
        for path in sorted(folder.iterdir())
        if _NUMBER.fullmatch(path.name) and (path / ArtifactName.MODEL).is_file()
    }


def load_version(folder: Path, *, num_threads: int) -> tuple[AnyModel, str, int]:
    """A model that has given its golden answer, its digest, and its bytes.

    Raises:
        UnavailableError: It may not be served; the message says why.
    """
    try:
        model, digest, num_bytes = _load(folder, num_threads)
        _ask_golden(folder, model)
    except (GraphError, ValidationError, OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"The model in {folder.name!r} cannot be served: {_describe(error)}.") from error
    return model, digest, num_bytes


def _load(folder: Path, num_threads: int) -> tuple[AnyModel, str, int]:
    whole = _load_graph(folder, num_threads)
    if whole.combines is None:
        return whole, whole.digest, whole.num_bytes
    places = whole.combines.graph.members
    members = [_load_graph(folder / MEMBERS / place.name, num_threads) for place in places]
    for place, member in zip(places, members, strict=True):
        if member.digest != place.digest:
            raise GraphError(f"the fusion was made of another {place.name} than is in {MEMBERS}")
    fusion = LoadedFusion(combining=whole, graph=whole.combines.graph, members=members)
    return fusion, whole.digest, whole.num_bytes + sum(member.num_bytes for member in members)


def _load_graph(folder: Path, num_threads: int) -> LoadedModel:
    sums = _read_sums(folder)
    model = _read(folder, ArtifactName.MODEL, sums)
    graph_check.check(model)
    signature = _read_signature(folder, sums)
    combines = None
    if (folder / ArtifactName.FUSION).is_file():
        graph = ServingGraph.model_validate_json(_read(folder, ArtifactName.FUSION, sums))
        members = [ServedMember(model_id="", model_name=place.name, number=1) for place in graph.members]
        combines = Combines(graph=graph, members=members)
    digest = hashlib.sha256(model).hexdigest()
    return load_model(model, signature, digest=digest, combines=combines, num_threads=num_threads)


def _read_signature(folder: Path, sums: Mapping[str, str]) -> Signature:
    """As it lies there, or as the graph itself says: names, types and shapes of tensors."""
    if (folder / ArtifactName.SIGNATURE).is_file():
        return Signature.model_validate_json(_read(folder, ArtifactName.SIGNATURE, sums))
    from batch_jobs.script import graphs

    return graphs.load(folder / ArtifactName.MODEL, target="").signature


def _read(folder: Path, name: ArtifactName, sums: Mapping[str, str]) -> bytes:
    path = folder / name
    if not path.is_file():
        raise GraphError(f"its {name.value} is missing")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise GraphError(f"its {name.value} has {path.stat().st_size} bytes; at most {MAX_MODEL_BYTES} are served")
    content = path.read_bytes()
    if name in sums and hashlib.sha256(content).hexdigest() != sums[name]:
        raise GraphError(f"its {name.value} is not the one that {SUMS} names")
    return content


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if not path.is_file():
        return {}
    lines = [line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip()]
    if any(len(line) != 2 for line in lines):
        raise GraphError(f"its {SUMS} is not as sha256sum writes it")
    return {name.removeprefix("*"): digest for digest, name in lines}


def _ask_golden(folder: Path, model: AnyModel) -> None:
    if not (folder / ArtifactName.GOLDEN).is_file():
        return
    wanted = Golden.model_validate_json(_read(folder, ArtifactName.GOLDEN, _read_sums(folder)))
    try:
        given = golden.ask(model, wanted.inputs, seconds=_GOLDEN_SECONDS)
    except (InvalidRequestError, DeadlineExceededError) as error:
        raise GraphError(f"the golden request failed: {error.message}") from error
    difference = goldens.find_difference(wanted, given)
    if difference is not None:
        raise GraphError(f"the golden request gave another answer than in training: {difference}")


def _describe(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"its description is not valid: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return str(error).rstrip(".")
