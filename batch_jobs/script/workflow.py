"""A script job from its source to what it left."""

import json
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pydantic import ValidationError

from aimass_core import bootstrap
from aimass_core.domain import keys
from aimass_core.domain.graph_check import GraphError
from aimass_core.domain.job_sources import REQUIREMENTS
from aimass_core.domain.jobs import ScriptSpec
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.schemas import Schema
from aimass_core.domain.signatures import Card
from aimass_core.errors import InternalError, InvalidRequestError
from aimass_core.ports import BlobNotFoundError
from aimass_core.settings import ContainerSettings
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.failures import UserCodeError
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.digests import sha256_of
from batch_jobs.script import graphs, source, variables
from batch_jobs.script.page import write_page
from batch_jobs.script.processes import Ended, Program

METRICS = "metrics.json"
_MAX_METRICS = 200
_MAX_METRICS_BYTES = 1024**2
_MAX_FAILURE = 1_024
_LIBRARIES = ("onnxruntime", "numpy")
_SIGNALS = {134: "SIGABRT", 137: "SIGKILL", 139: "a segmentation fault", 143: "SIGTERM"}
_log = logging.getLogger(__name__)


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `script`."""
    spec = environment.spec
    if not isinstance(spec, ScriptSpec):
        raise InternalError(f"A job of the kind {spec.kind} was started as script.")
    try:
        settings = ContainerSettings()
    except ValidationError as error:
        raise InvalidRequestError(
            "A script job needs the platform that submitted it, and this container was started without its variables. "
            "Submit it with: aimass run"
        ) from error
    packed = environment.base_path / "source.tar.gz"
    try:
        bootstrap.build_ports(settings).lake.download(keys.job_source(settings.workspace_id, spec.source), packed)
    except BlobNotFoundError as error:
        raise InvalidRequestError("The job's source is gone from the lake. Submit the job again.") from error
    if sha256_of(packed) != spec.source:
        raise InvalidRequestError("The job's source is damaged: its SHA-256 is another. Submit the job again.")
    return run_source(environment, spec, packed, reporter, dict(os.environ))


def run_source(
    environment: Environment, spec: ScriptSpec, packed: Path, reporter: Reporter, own: Mapping[str, str]
) -> dict[str, float]:
    """Unpacks, installs, runs, and sorts what was left.

    Returns:
        The metrics of `metrics.json` in the output folder.

    Raises:
        InvalidRequestError: The source is not as it should be, or the model that was asked for is not there.
        UserCodeError: The requirements do not install, or the script failed.
    """
    job = _Script(environment=environment, spec=spec, reporter=reporter, own=own)
    started = time.monotonic()
    job.unpack(packed)
    job.install()
    job.execute()
    return job.settle(seconds=time.monotonic() - started)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    environment: Environment
    spec: ScriptSpec
    reporter: Reporter
    own: Mapping[str, str]

    @property
    def code(self) -> Path:
        return self.environment.base_path / "code"

    @property
    def packages(self) -> Path:
        return self.environment.base_path / "packages"

    def unpack(self, packed: Path) -> None:
        self.reporter.progress("unpacking")
        for folder in (self.code, self.packages):
            shutil.rmtree(folder, ignore_errors=True)
        source.unpack(packed, self.code, entry_point=self.spec.entry_point)
        self.packages.mkdir()

    def install(self) -> None:
        """Into a folder of the job's own: nothing of it is seen by our own processes."""
        missing = source.missing_requirements(self.code)
        if not missing:
            return
        self.reporter.progress("installing", message=f"{len(missing)} requirements")
        # NOTE: beside the original, so that files which it names are found.
        wanted = self.code / f".missing-{REQUIREMENTS}"
        wanted.write_text("\n".join(missing) + "\n", "utf-8")
        options = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar=off"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(self.packages), "-r", str(wanted)]
        ended = self._start(command, variables.for_pip(self.own))
        if ended.exit_code:
            told = next((line for line in ended.lines if "ERROR" in line), ended.last_line)
            raise UserCodeError(
                f"The requirements could not be installed: {told.removeprefix('ERROR: ')[:500]} "
                f"Check {REQUIREMENTS}, and whether the container can reach a package index.",
                code="requirements_failed",
                output="\n".join(ended.lines),
            )

    def execute(self) -> None:
        self.reporter.progress("running", message=self.spec.entry_point)
        (self.environment.base_path / "output" / "intermediate").mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-u", self.spec.entry_point, *variables.to_arguments(self.spec)]
        told = variables.for_script(self.environment, self.spec, self.own, code=self.code, packages=self.packages)
        ended = self._start(command, told)
        if ended.exit_code:
            raise UserCodeError(self._explain(ended), output="\n".join(ended.lines))

    def settle(self, *, seconds: float) -> dict[str, float]:
        self.reporter.progress("registering")
        for folder in (self.environment.model_path, self.environment.output_path):
            _require_folder(folder)
        metrics = self._read_metrics()
        fault = self._register(metrics, seconds=seconds)
        if fault is None:
            return metrics
        files = _files(self.environment.model_path)
        if self.spec.model is not None:
            raise InvalidRequestError(
                f"The script ended well, but the model {self.spec.model!r} cannot be registered: {fault}. Let it save "
                "one .onnx file in the folder that SM_MODEL_DIR names, or leave out the model's name to keep the files "
                "as artifacts of the job."
            )
        if files:
            self.reporter.message(f"No model was registered: {fault}. The files are kept as artifacts of the job.")
            shutil.move(self.environment.model_path, self.environment.output_path / "model")
            self.environment.model_path.mkdir()
        elif not metrics and not any(_files(self.environment.output_path)):
            self.reporter.message("The script ended well and left nothing: no model, no files, no metrics.")
        else:
            self.reporter.message("The script left no model.")
        return metrics

    def _start(self, command: list[str], told: Mapping[str, str]) -> Ended:
        program = Program(
            command=command,
            cwd=self.code,
            variables=told,
            watched=self.environment.base_path,
            redacted=self.own,
            on_metric=lambda name, value, step: self.reporter.metrics(step, {name: value}),
        )
        place = self.environment
        program.give(self.code, self.packages, place.model_path, place.base_path / "output", place.checkpoint_path)
        return program.run()

    def _explain(self, ended: Ended) -> str:
        """What the script itself says in its failure file comes first."""
        path = self.environment.base_path / "output" / "failure"
        if path.is_file() and not path.is_symlink():
            with path.open(encoding="utf-8", errors="replace") as file:
                said = file.read(_MAX_FAILURE).strip()
            if said:
                return f"The script says: {said}"
        how = _SIGNALS.get(ended.exit_code)
        if how is None:
            return f"The script ended with exit code {ended.exit_code}: {ended.last_line[:500]}"
        cause = f"The script was ended by {how} (exit code {ended.exit_code}); its last line: {ended.last_line[:300]}"
        if ended.exit_code == 137:
            cause += ". The system does that when memory runs out: submit it with more (compute.memory_mib)"
        return cause

    def _read_metrics(self) -> dict[str, float]:
        path = self.environment.output_path / METRICS
        if path.is_symlink() or not path.is_file():
            return {}
        try:
            found = json.loads(path.read_bytes()) if path.stat().st_size <= _MAX_METRICS_BYTES else None
        except ValueError as error:
            self.reporter.message(f"{METRICS} is not JSON and is left out: {error}")
            return {}
        if not isinstance(found, dict):
            self.reporter.message(f"{METRICS} must hold one JSON object of names and numbers; it is left out.")
            return {}
        metrics = {name[:100]: float(value) for name, value in found.items() if _is_number(value)}
        if len(metrics) < len(found):
            self.reporter.message(f"{METRICS}: what is not a finite number is left out.")
        return dict(list(metrics.items())[:_MAX_METRICS])

    def _register(self, metrics: Mapping[str, float], *, seconds: float) -> str | None:
        """Makes a model version's files of what the script left; why it cannot, where it cannot."""
        folder = self.environment.model_path
        found = [path for path in _files(folder) if path.suffix == ".onnx"]
        if len(found) != 1:
            return f"its model folder holds {len(found)} .onnx files instead of one"
        try:
            graph = graphs.load(found[0], target=self._target())
        except GraphError as error:
            return f"{found[0].name} may not be served: {error}"
        card = self._card(metrics, graph, seconds=seconds)
        found[0].unlink()
        for name in ArtifactName:
            _remove(folder / name)
        (folder / ArtifactName.MODEL).write_bytes(graph.model)
        documents = {
            ArtifactName.SIGNATURE: graph.signature,
            ArtifactName.GOLDEN: graph.golden,
            ArtifactName.CARD: card,
        }
        for name, document in documents.items():
            (folder / name).write_text(document.model_dump_json(indent=1), encoding="utf-8")
        write_page(folder / ArtifactName.REPORT, card, graph.signature, metrics=metrics)
        return None

    def _target(self) -> str:
        """That of the first channel's data, where it has one."""
        for folder in self.environment.channels.values():
            path = folder / "schema.json"
            if path.is_file():
                return Schema.model_validate_json(path.read_bytes()).target or ""
        return ""

    def _card(self, metrics: Mapping[str, float], graph: graphs.Graph, *, seconds: float) -> Card:
        primary = next(iter(metrics), "")
        return Card(
            algorithm="script",
            framework=self.spec.entry_point,
            task=graph.signature.task,
            target=graph.signature.target,
            hyperparameters=dict(self.spec.hyperparameters),
            seed=0,
            dataset=self.environment.dataset,
            dataset_digest=self.environment.dataset_digest,
            evaluations=[],
            primary_metric=primary,
            primary_value=metrics.get(primary),
            model_bytes=len(graph.model),
            training_seconds=round(seconds, 3),
            warnings=[f"A script made it (source {self.spec.source[:12]}): its metrics are what the script says."],
            versions={name: metadata.version(name) for name in _LIBRARIES},
        )


def _files(folder: Path) -> list[Path]:
    """Regular files, no links."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _require_folder(path: Path) -> None:
    """A link in the place of a folder could name any files of the container as the job's artifacts."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        path.mkdir(parents=True, exist_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
