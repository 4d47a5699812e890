"""SQL: what the workgroup allows, and who may ask it."""

import pytest

from aimass_core.domain import keys, tables
from infra.cdk import naming
from tests.infra.templates import Template, load_template, to_text


@pytest.fixture(scope="module")
def queries() -> Template:
    return load_template("AimassQueries")


def test_nobody_can_read_more_or_write_elsewhere_than_the_workgroup_says(queries: Template) -> None:
    (workgroup,) = queries.properties("AWS::Athena::WorkGroup")
    configuration = workgroup["WorkGroupConfiguration"]
    assert workgroup["Name"] == naming.QUERY_WORKGROUP
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == 100 * 1024**3
    assert to_text(configuration["ResultConfiguration"]["OutputLocation"]).endswith("/queries/")
    assert keys.query_output("id") == "queries/id.csv", "Athena writes where the API reads"


def test_only_the_api_starts_queries_and_only_in_the_workgroup(application: Template) -> None:
    starting = [item for item in application.statements() if "athena:StartQueryExecution" in item.actions]
    assert {item.owner.partition("Role")[0] for item in starting} == {"Api"}
    for item in application.statements():
        if any(action.startswith("athena:") for action in item.actions):
            (workgroup,) = map(to_text, item.resources)
            assert workgroup.endswith(f":workgroup/{naming.QUERY_WORKGROUP}")


def test_databases_of_ours_alone_are_changed(application: Template) -> None:
    assert tables.database_of("ws_1").startswith(naming.DATABASE_PREFIX)
    for item in application.statements():
        if any(action.startswith("glue:") for action in item.actions):
            endings = [to_text(resource).rpartition(":")[2] for resource in item.resources]
            assert endings == ["catalog", "database/aimass_*", "table/aimass_*/*"]
