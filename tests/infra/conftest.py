"""The checked-in templates, as the tests of the infrastructure read them: no Node and no CDK needed."""

import pytest

from tests.infra.templates import Template, load_template


@pytest.fixture(scope="session")
def application() -> Template:
    return load_template("AimassApplication")


@pytest.fixture(scope="session")
def stateful() -> Template:
    return load_template("AimassStateful")


@pytest.fixture(scope="session")
def sagemaker() -> Template:
    return load_template("AimassSageMaker")


@pytest.fixture(scope="session")
def identity() -> Template:
    return load_template("AimassIdentity")


@pytest.fixture(scope="session")
def batch() -> Template:
    return load_template("AimassBatch")
