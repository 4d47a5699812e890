"""A forgotten or misspelt variable stops the synthesis."""

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.cdk.components.environment import environment_of


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="AIMASS_")

    registry_table: str
    job_id: str
    limit: int = 3


def test_variables_carry_the_prefix_of_the_class() -> None:
    values = {"registry_table": "t", "job_id": "j", "limit": "4"}
    assert environment_of(_Settings, values) == {
        "AIMASS_REGISTRY_TABLE": "t",
        "AIMASS_JOB_ID": "j",
        "AIMASS_LIMIT": "4",
    }


def test_a_required_field_may_be_given_later() -> None:
    assert environment_of(_Settings, {"registry_table": "t"}, given_later={"job_id"}) == {"AIMASS_REGISTRY_TABLE": "t"}


def test_a_missing_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"_Settings: missing \['job_id'\], unknown \[\]"):
        environment_of(_Settings, {"registry_table": "t"})


def test_a_misspelt_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown \['registry_tabel'\]"):
        environment_of(_Settings, {"registry_table": "t", "job_id": "j", "registry_tabel": "t"})


def test_a_misspelt_later_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown \['jobid'\]"):
        environment_of(_Settings, {"registry_table": "t", "job_id": "j"}, given_later={"jobid"})
