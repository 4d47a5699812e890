"""An import job: a process without credentials opens the model; its graph is compared and made a version here."""

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from pydantic import ValidationError

import aimass_core
import batch_jobs
from aimass_core import bootstrap
from aimass_core.domain import graph_check, keys
from aimass_core.domain.graph_check import MAX_MODEL_BYTES, GraphError
from aimass_core.domain.model_imports import MODEL_FOLDER, SAMPLE_SUFFIXES, SAMPLES, ImportFormat, ImportSpec
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Card, ExportCheck, Golden
from aimass_core.errors import InternalError, InvalidDataError, InvalidRequestError
from aimass_core.ports import BlobNotFoundError
from aimass_core.settings import ContainerSettings
from batch_jobs.evaluate.export_check import TOLERANCE
from batch_jobs.evaluate.scoring import ORT_ERRORS
from batch_jobs.importing import formats, mlflow_folders
from batch_jobs.importing.adapting import Adapted, adapt
from batch_jobs.importing.contract import ANSWERS, DESCRIPTION, GRAPH, INPUTS, ORDER, REFUSAL, Array, Description, Order
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.failures import UserCodeError
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.digests import sha256_of
from batch_jobs.script import graphs, source, variables
from batch_jobs.script.page import write_page
from batch_jobs.script.processes import Ended, Program

_MAX_UNPACKED_BYTES = 2 * 1024**3
_GOLDEN_ROWS = 4
_log = logging.getLogger(__name__)


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `import`."""
    spec = environment.spec
    if not isinstance(spec, ImportSpec):
        raise InternalError(f"A job of the kind {spec.kind} was started as import.")
    settings = ContainerSettings()
    packed = environment.base_path / "source.tar.gz"
    try:
        bootstrap.build_ports(settings).lake.download(keys.job_source(settings.workspace_id, spec.source), packed)
    except BlobNotFoundError as error:
        raise InvalidRequestError("The model is gone from the lake. Import it again.") from error
    if sha256_of(packed) != spec.source:
        raise InvalidRequestError("The model is damaged: its SHA-256 is another. Import it again.")
    opener = Opener(environment=environment, own=dict(os.environ))
    return import_model(environment, spec, packed, reporter, open_model=opener)


def import_model(
    environment: Environment,
    spec: ImportSpec,
    packed: Path,
    reporter: Reporter,
    *,
    open_model: Callable[[Order, Path], None],
) -> dict[str, float]:
    """Unpacks, converts, compares, and leaves the files of a model version.

    Args:
        open_model: leaves what `converting` leaves in the folder, see `Opener`.

    Raises:
        InvalidRequestError: It is of no known format, or of one that runs code and is not trusted.
        InvalidDataError: It cannot be converted, or the graph does not answer as the model does.
        UserCodeError: The process that opened it broke down.
    """
    job = _Import(environment=environment, spec=spec, reporter=reporter)
    started = time.monotonic()
    order = job.unpack(packed)
    reporter.progress("converting", message=str(order.format))
    (job.work / ORDER).write_text(order.model_dump_json(), "utf-8")
    open_model(order, job.work)
    if (refusal := job.work / REFUSAL).is_file():
        raise InvalidDataError(refusal.read_text("utf-8")[:2_000])
    return job.settle(order, seconds=time.monotonic() - started)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """Opens models in processes that have no credentials. Raises UserCodeError where one breaks down."""

    environment: Environment
    own: Mapping[str, str]

    def __call__(self, order: Order, work: Path) -> None:
        """Leaves what `converting` leaves in the folder."""
        packages = {str(Path(str(module.__file__)).parents[1]) for module in (aimass_core, batch_jobs)}
        program = Program(
            command=[sys.executable, "-u", "-m", "batch_jobs.importing.converting", str(work)],
            cwd=work,
            variables=variables.kept(self.own)
            | {
                "HOME": str(work),
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": ":".join(sorted(packages)),
                # NOTE: else a file of the model's own, numpy.py say, is found before the library.
                "PYTHONSAFEPATH": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "KERAS_BACKEND": "tensorflow",
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            watched=self.environment.base_path,
            redacted=self.own,
        )
        program.give(order.model_path.parent, work)
        ended = program.run()
        if ended.exit_code and not (work / REFUSAL).is_file():
            raise UserCodeError(_explain(ended, order), output="\n".join(ended.lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Import:
    environment: Environment
    spec: ImportSpec
    reporter: Reporter

    @property
    def source(self) -> Path:
        return self.environment.base_path / "imported"

    @property
    def work(self) -> Path:
        return self.environment.base_path / "converted"

    def unpack(self, packed: Path) -> Order:
        self.reporter.progress("unpacking")
        for folder in (self.source, self.work):
            shutil.rmtree(folder, ignore_errors=True)
        source.unpack(packed, self.source, max_bytes=_MAX_UNPACKED_BYTES)
        self.work.mkdir()
        folder = self.source / MODEL_FOLDER
        if not folder.is_dir():
            raise InvalidRequestError(f"The source has no folder {MODEL_FOLDER!r}. Send it with: aimass models import")
        format_, path = formats.resolve(self.spec.format, folder)
        given = [self.source / f"{SAMPLES}{suffix}" for suffix in SAMPLE_SUFFIXES]
        samples = next((each for each in given if each.is_file()), None)
        spec = self.spec
        if format_ is ImportFormat.MLFLOW:
            root = path
            format_, path = mlflow_folders.resolve(root)
            samples = samples or mlflow_folders.example_of(root)
            spec = spec.model_copy(update={"columns": spec.columns or mlflow_folders.columns_of(root)})
        if format_ is ImportFormat.TORCHSCRIPT and not formats.is_torchscript(path):
            raise InvalidRequestError(f"{path.name} is no TorchScript: it has no compiled code. Use torch.jit.save.")
        if format_ in formats.RUN_CODE and not spec.trust_pickle:
            raise InvalidRequestError(
                f"{path.name} ({format_}) can run code where it is opened, so it is not. Where you trust whoever made "
                "it, say --trust-pickle: it is opened in this job alone, by a process without credentials. Or save it "
                "as ONNX."
            )
        return Order(spec=spec, format=format_, model_path=path, samples_path=samples)

    def settle(self, order: Order, *, seconds: float) -> dict[str, float]:
        self.reporter.progress("comparing")
        description = _read_description(self.work)
        try:
            model = _read_graph(self.work / GRAPH)
            inputs, answers = _read_arrays(self.work / INPUTS), list(_read_arrays(self.work / ANSWERS).values())
            found = _run(model, inputs)
            difference = _compare(answers, found)
            made = self._adapt(model, order.spec, description, inputs=inputs, answers=answers)
        except GraphError as error:
            raise InvalidDataError(f"{order.model_path.name} cannot be served: {error}.") from error
        check = ExportCheck(
            num_rows=len(next(iter(inputs.values()))),
            max_abs_difference=difference,
            num_label_differences=0,
            tolerance=TOLERANCE,
        )
        self._leave(order, made, description, check, seconds=seconds)
        return {"max_abs_difference": difference, "num_rows": float(check.num_rows)}

    def _adapt(
        self,
        model: bytes,
        spec: ImportSpec,
        description: Description,
        *,
        inputs: Mapping[str, Array],
        answers: Sequence[Array],
    ) -> graphs.Graph:
        """By the user's own signature.json; else into our form; else as it is."""
        path = self.work / "served" / ArtifactName.MODEL
        path.parent.mkdir()
        path.write_bytes(model)
        given = self.source / graphs.SIGNATURE
        if given.is_file() and not given.is_symlink():
            shutil.copyfile(given, path.with_name(graphs.SIGNATURE))
            return graphs.load(path, target=spec.target or "")
        adapted = _try_adapt(model, spec, description, answers)
        if adapted is None:
            self.reporter.message(
                "Nothing says what its outputs mean: it takes tensors and answers tensors (custom). Say --task, and "
                "--labels of classes, or give a signature.json, to have rows and labels."
            )
            return graphs.load(path, target=spec.target or "")
        body = adapted.model.SerializeToString(deterministic=True)
        graph_check.check(body)
        return graphs.Graph(
            model=body,
            signature=adapted.signature,
            golden=_make_golden(body, adapted, inputs),
        )

    def _leave(
        self, order: Order, made: graphs.Graph, description: Description, check: ExportCheck, *, seconds: float
    ) -> None:
        rows = "sample rows" if description.has_samples else "rows that were made up"
        card = Card(
            algorithm="imported",
            framework=description.framework,
            task=made.signature.task,
            target=made.signature.target,
            hyperparameters={},
            seed=0,
            dataset="",
            evaluations=[],
            export_check=check,
            model_bytes=len(made.model),
            training_seconds=round(seconds, 3),
            warnings=[
                f"Imported from {order.model_path.name} ({order.format}): how good it is, nobody here has measured. On "
                f"{check.num_rows} {rows} the graph differs from {description.framework} by "
                f"{check.max_abs_difference:.1e}."
            ],
            versions={**description.versions, "onnxruntime": metadata.version("onnxruntime")},
        )
        folder = self.environment.model_path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ArtifactName.MODEL).write_bytes(made.model)
        documents = {
            ArtifactName.SIGNATURE: made.signature,
            ArtifactName.GOLDEN: made.golden,
            ArtifactName.CARD: card,
        }
        for name, document in documents.items():
            (folder / name).write_text(document.model_dump_json(indent=1), encoding="utf-8")
        write_page(folder / ArtifactName.REPORT, card, made.signature, metrics={})
        self.reporter.message(card.warnings[0])


def _try_adapt(model: bytes, spec: ImportSpec, description: Description, answers: Sequence[Array]) -> Adapted | None:
    try:
        return adapt(onnx.load_from_string(model), spec, description, answers)
    except ValueError as error:
        raise GraphError(str(error)) from error


def _explain(ended: Ended, order: Order) -> str:
    what = f"{order.model_path.name} ({order.format}) could not be converted"
    if ended.exit_code == 137:
        return f"{what}: its process was killed, as where memory runs out. Give the job more (compute.memory_mib)"
    return f"{what}: its process ended with exit code {ended.exit_code}: {ended.last_line[:500]}"


def _read_description(folder: Path) -> Description:
    try:
        return Description.model_validate_json((folder / DESCRIPTION).read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidDataError("What opened the model left no description of it. Import it again.") from error


def _read_graph(path: Path) -> bytes:
    """FAULTS F6: looked into before ONNX Runtime is."""
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise GraphError(f"as ONNX it has {path.stat().st_size:,} bytes; at most {MAX_MODEL_BYTES:,} are served")
    model = path.read_bytes()
    graph_check.check(model)
    return model


def _read_arrays(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: _to_texts(archive[name]) for name in archive.files}


def _to_texts(values: Array) -> Array:
    return values.astype(object) if values.dtype.kind == "U" else values


def _run(model: bytes, inputs: Mapping[str, Array]) -> list[Array]:
    try:
        session = graphs.open_session(model)
        return [np.asarray(each) for each in session.run(None, dict(inputs))]
    except ORT_ERRORS as error:
        raise GraphError(
            f"ONNX Runtime cannot run it on the rows: {str(error).strip().splitlines()[0][:300]}"
        ) from error


def _compare(framework: Sequence[Array], exported: Sequence[Array]) -> float:
    """The largest difference, of values in units of the largest. Raises GraphError where it is too large."""
    if len(framework) != len(exported):
        raise GraphError(f"its tool gives {len(framework)} answers, and its graph {len(exported)}")
    worst = 0.0
    for index, (own, other) in enumerate(zip(framework, exported, strict=True)):
        if own.size != other.size:
            raise GraphError(
                f"answer {index + 1} is {list(own.shape)} of its tool, and {list(other.shape)} of its graph"
            )
        if other.dtype.kind not in "fiub":
            if own.reshape(-1).tolist() != other.reshape(-1).tolist():
                raise GraphError(f"answer {index + 1} of its graph differs from that of its tool")
            continue
        ours, theirs = (each.reshape(-1).astype(np.float64) for each in (own, other))
        scale = max(1.0, float(np.abs(ours[np.isfinite(ours)]).max(initial=0)))
        worst = max(worst, float(np.nan_to_num(_differences(ours, theirs), nan=np.inf).max(initial=0)) / scale)
    if worst > TOLERANCE:
        raise GraphError(
            f"its graph does not answer as its tool does: they differ by {worst:.3g} (tolerance {TOLERANCE}). Nothing "
            "was registered"
        )
    return worst


def _differences(ours: Array, theirs: Array) -> Array:
    """None where both say that it is no number."""
    both = (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
    with np.errstate(invalid="ignore"):
        return np.where(both, 0.0, np.abs(ours - theirs))


def _make_golden(model: bytes, adapted: Adapted, inputs: Mapping[str, Array]) -> Golden:
    """The first rows as the adapted graph takes them, and what it answers."""
    rows = {name: values[:_GOLDEN_ROWS] for name, values in inputs.items()}
    specs = adapted.signature.inputs
    if adapted.columns is not None:
        (matrix,) = rows.values()
        rows = {spec.name: matrix[:, [place]].astype(np.float32) for place, spec in enumerate(specs)}
    else:
        rows = {spec.name: values for spec, values in zip(specs, rows.values(), strict=True)}
    names = [spec.name for spec in adapted.signature.outputs]
    try:
        outputs = graphs.open_session(model).run(names, rows)
    except ORT_ERRORS as error:
        raise GraphError(
            f"ONNX Runtime refuses what it was made: {str(error).strip().splitlines()[0][:300]}"
        ) from error
    return Golden(
        inputs={name: graphs.to_json(values) for name, values in rows.items()},
        outputs={name: graphs.to_json(np.asarray(values)) for name, values in zip(names, outputs, strict=True)},
        tolerance=TOLERANCE * max([1.0, *(graphs.largest(np.asarray(values)) for values in outputs)]),
    )
