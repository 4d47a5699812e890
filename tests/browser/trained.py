"""A dataset and two versions of a model of it, for pages that show such things."""

from pathlib import Path

import pytest

import aimass
from aimass.resources.jobs import Job

MODEL = "console-loans"


@pytest.fixture(scope="session")
def dataset(client: aimass.Client, loans: tuple[Path, Path]) -> str:
    client.datasets.upload(loans[0], name=MODEL, target="repaid")
    return MODEL


@pytest.fixture(scope="session")
def trained(client: aimass.Client, dataset: str) -> list[Job]:
    """Two jobs of the same model."""
    jobs = [client.jobs.train(dataset, algorithm="xgboost", hyperparameters={"num_rounds": n}) for n in (20, 40)]
    return [job.wait() for job in jobs]
