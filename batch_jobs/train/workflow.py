"""A training job from its channels to its artifacts."""

import time

from aimass_core.domain.jobs import TrainSpec
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.budget import begin_budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.exporting import export_training
from batch_jobs.train.feature_choice import train_with_features
from batch_jobs.train.forecasting import load_forecast
from batch_jobs.train.handover import Handover
from batch_jobs.train.material import in_memory, load_material, read_channels
from batch_jobs.train.notes import Notes


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Trains as `environment.spec` says.

    Leaves model.onnx, signature.json, golden.json, card.json, report.html and report.json in `model_path`, and the
    predictions of the validation and test channels in `output_path`.

    A machine that is not the main one of several takes part in the fits, and leaves nothing.

    Returns:
        The metrics of the test channel, or where there is none of the validation; those of each channel also under
        `validation/<name>` and `test/<name>`.

    Raises:
        InvalidRequestError, InvalidDataError: What was asked for cannot be done with this data.
        InternalError: The exported model does not repeat the trained one.
    """
    spec = environment.spec
    if not isinstance(spec, TrainSpec):
        raise InvalidRequestError(f"a {spec.kind} job cannot be trained")
    # A container may be started without the API.
    spec.check()
    notes, began = Notes(reporter), time.monotonic()
    reporter.progress("reading")
    channels = read_channels(environment, spec, notes)
    material = (
        load_forecast(in_memory(channels), spec, notes)
        if spec.horizon
        else load_material(channels, environment, spec, notes)
    )
    started = time.monotonic()
    budget = begin_budget(environment.deadline, reading_seconds=started - began)
    learner = build_learner(spec)
    training = train_with_features(
        material,
        learner,
        spec,
        num_threads=environment.num_cpus,
        reporter=reporter,
        notes=notes,
        checkpoints=CheckpointPlace.of_job(environment, message=notes, interval_seconds=spec.checkpoint_seconds),
        budget=budget,
        cluster=environment.cluster,
        scratch_path=environment.base_path / "scratch",
    )
    if not environment.cluster.is_main:
        return {}
    reporter.progress("exporting")
    exported = export_training(
        training,
        material,
        spec,
        seconds=time.monotonic() - started,
        environment=environment,
        notes=notes,
    )
    return Handover(environment=environment, material=material, exported=exported, reporter=reporter, notes=notes).run()
