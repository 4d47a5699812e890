"""What a job's request leaves open, the settings decide; what it says holds."""

from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.compute import Backend
from aimass_core.domain.jobs import Job, JobCreate
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.domain.triggers import TriggerCreate
from aimass_core.services import dispatch, job_defaults, jobs, settings, triggers
from tests.factories.platform import LIMITS, add_dataset, add_version, new_ports, new_principal, search_request


@pytest.fixture
def owner() -> Principal:
    return new_principal(Role.ADMIN)


@pytest.fixture
def ports(owner: Principal) -> MemoryPorts:
    made = new_ports()
    add_version(made, owner, add_dataset(made, owner))
    return made


def change(ports: MemoryPorts, owner: Principal, subsystem: Subsystem, **values: Any) -> None:
    revision = settings.get(ports, owner, subsystem).revision
    settings.update(ports, owner, subsystem, SettingsUpdate(values=values), revision=revision)


def submit(ports: MemoryPorts, owner: Principal, *, compute: dict[str, Any] | None = None, **spec: Any) -> Job:
    fields = {"kind": "train", "dataset": "adult", "algorithm": "xgboost", **spec}
    limits = {name: fields.pop(name) for name in ("max_seconds",) if name in fields}
    request = JobCreate.model_validate({"spec": fields, "compute": compute or {}, **limits})
    return jobs.create(ports, owner, request, limits=LIMITS)


def test_training_takes_what_its_request_leaves_open(ports: MemoryPorts, owner: Principal) -> None:
    change(
        ports,
        owner,
        Subsystem.TRAINING,
        checkpoint_seconds=7,
        max_seconds=120,
        validation_fraction=0.3,
        vcpus=3,
        refit=True,
    )
    job = submit(ports, owner)
    assert (job.spec.checkpoint_seconds, job.spec.validation_fraction, job.spec.refit) == (7, 0.3, True)  # type: ignore[union-attr]
    assert (job.max_seconds, job.compute.vcpus) == (120, 3)
    said = submit(
        ports,
        owner,
        checkpoint_seconds=60,
        max_seconds=3_600,
        validation_fraction=0.2,
        refit=False,
        compute={"vcpus": 2},
    )
    assert (said.spec.checkpoint_seconds, said.spec.refit) == (60, False)  # type: ignore[union-attr]
    assert (said.max_seconds, said.compute.vcpus) == (3_600, 2)


def test_autotrain_finds_out_how_many_rows_judge_unless_it_is_told(ports: MemoryPorts, owner: Principal) -> None:
    """Only its job can: what is stored has to say that nothing was said."""
    change(ports, owner, Subsystem.TRAINING, validation_fraction=0.3)
    fields = {"kind": "autotrain", "dataset": "adult"}
    stored = [
        jobs.create(ports, owner, JobCreate.model_validate({"spec": {**fields, **more}}), limits=LIMITS)
        for more in ({}, {"validation_fraction": 0.4})
    ]
    fractions = [jobs.get(ports, owner, job.id).spec.validation_fraction for job in stored]  # type: ignore[union-attr]
    assert fractions == [None, 0.4]


def test_folds_are_not_refitted(ports: MemoryPorts, owner: Principal) -> None:
    change(ports, owner, Subsystem.TRAINING, refit=True)
    assert not submit(ports, owner, folds=3).spec.refit  # type: ignore[union-attr]


def test_jobs_go_to_the_service_that_the_workspace_has_chosen(ports: MemoryPorts, owner: Principal) -> None:
    change(
        ports,
        owner,
        Subsystem.TRAINING,
        backend="sagemaker",
        instance_type="ml.m5.xlarge",
        spot=True,
        max_wait_seconds=1_800,
        max_seconds=3_600,
    )
    job = submit(ports, owner)
    assert (job.compute.backend, job.compute.instance_type, job.compute.spot) == (
        Backend.SAGEMAKER,
        "ml.m5.xlarge",
        True,
    )
    assert job.max_seconds == 1_800, "what it may take with waiting includes it"
    assert submit(ports, owner, compute={"vcpus": 2}).compute.backend is Backend.BATCH
    named = submit(ports, owner, compute={"backend": "sagemaker", "instance_type": "ml.c5.xlarge"})
    assert named.compute.instance_type == "ml.c5.xlarge"


def test_studies_take_what_the_settings_of_search_say(ports: MemoryPorts, owner: Principal) -> None:
    change(
        ports, owner, Subsystem.SEARCH, sampler="random", pruner="median", num_workers=4, max_trials=9, max_seconds=600
    )
    job = jobs.create(ports, owner, search_request(), limits=LIMITS)
    spec: Any = job.spec
    assert (spec.sampler, spec.pruner, spec.num_workers, spec.max_trials) == ("random", "median", 4, 9)
    assert job.max_seconds == 600
    said: Any = job_defaults.apply(ports, owner.workspace_id, search_request(sampler="tpe", num_workers=1)).spec
    assert (said.sampler, said.num_workers) == ("tpe", 1)


def test_a_study_goes_on_as_the_one_that_it_was(ports: MemoryPorts, owner: Principal) -> None:
    change(ports, owner, Subsystem.SEARCH, sampler="random")
    first = jobs.create(ports, owner, search_request(study="mine"), limits=LIMITS)
    jobs.stop(ports, owner, first.id)
    change(ports, owner, Subsystem.SEARCH, sampler="qmc")
    again: Any = jobs.create(ports, owner, search_request(study="mine"), limits=LIMITS)
    assert again.spec.sampler == "random"


def test_compressions_take_what_their_settings_say(ports: MemoryPorts, owner: Principal) -> None:
    change(ports, owner, Subsystem.COMPRESSION, max_metric_drop=0.05, methods=["quantization"], device="mobile")
    request = JobCreate.model_validate({"spec": {"kind": "compress", "parent": "adult@1"}})
    spec: Any = job_defaults.apply(ports, owner.workspace_id, request).spec
    assert (spec.max_metric_drop, spec.methods, spec.device) == (0.05, ["quantization"], "mobile")


def test_containers_are_told_how_much_to_log_and_how_often_they_are_begun(ports: MemoryPorts, owner: Principal) -> None:
    change(ports, owner, Subsystem.TRAINING, max_attempts=5)
    change(ports, owner, Subsystem.LOGGING, job_level="debug")
    job = submit(ports, owner)
    dispatch.dispatch(ports, job.workspace_id, job.id)
    (submission,) = ports.compute.submissions.values()
    assert submission.max_attempts == 5
    assert submission.environment["AIMASS_LOG_LEVEL"] == "debug"


def test_the_job_of_a_trigger_is_what_the_settings_said_when_it_was_made(ports: MemoryPorts, owner: Principal) -> None:
    change(ports, owner, Subsystem.TRAINING, max_seconds=120, checkpoint_seconds=7)
    body = {"name": "nightly", "dataset": "adult", "job": {"spec": {"kind": "train", "dataset": "adult"}}}
    body["job"]["spec"]["algorithm"] = "xgboost"  # type: ignore[index]
    trigger = triggers.create(ports, owner, TriggerCreate.model_validate(body))
    assert (trigger.job.max_seconds, trigger.job.spec.checkpoint_seconds) == (120, 7)  # type: ignore[union-attr]
    change(ports, owner, Subsystem.TRAINING, max_seconds=240)
    assert job_defaults.apply(ports, owner.workspace_id, triggers.to_job(trigger, 2)).max_seconds == 120
