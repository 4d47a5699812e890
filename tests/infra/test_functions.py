"""Each function gets its code, its layers and exactly the variables that its settings class reads."""

import json

import pytest
from pydantic_settings import BaseSettings

from aimass_core import settings
from aimass_core.inference.limits import SYNC_SECONDS
from tests.infra.templates import REPOSITORY, TEMPLATE_PATH, Template

SETTINGS: dict[str, type[BaseSettings]] = {
    "api": settings.ApiSettings,
    "authorizer": settings.AuthorizerSettings,
    "collectors": settings.CollectorsSettings,
    "console": settings.ConsoleSettings,
    "dispatch": settings.DispatchSettings,
    "ingest": settings.IngestSettings,
    "job_events": settings.JobEventsSettings,
    "notifications": settings.NotificationsSettings,
    "predictions": settings.PredictionsSettings,
    "previews": settings.PreviewsSettings,
    "reconciler": settings.ReconcilerSettings,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_variables_are_those_of_the_settings_class(application: Template, name: str) -> None:
    variables = {
        key.removeprefix("AIMASS_").lower()
        for key in application.function(name)["Environment"]["Variables"]
        if key.startswith("AIMASS_")
    }
    fields = SETTINGS[name].model_fields
    assert {field for field, info in fields.items() if info.is_required()} <= variables <= fields.keys()


def test_tick_has_the_variables_of_its_own_settings(application: Template) -> None:
    (tick,) = (
        item
        for item in application.properties("AWS::Lambda::Function")
        if item["Handler"] == "functions.collectors.app.tick"
    )
    variables = {name for name in tick["Environment"]["Variables"] if name.startswith("AIMASS_")}
    assert variables == {"AIMASS_REGISTRY_TABLE"}


def test_every_function_of_the_repository_is_deployed(application: Template) -> None:
    folders = {path.parent.name for path in REPOSITORY.glob("functions/*/app.py")}
    handlers = {item["Handler"] for item in application.properties("AWS::Lambda::Function")}
    assert {f"functions.{folder}.app.handler" for folder in folders} <= handlers


def test_functions_load_the_layer_that_holds_what_they_import(application: Template) -> None:
    layers = {name: [item["Ref"] for item in application.function(name)["Layers"]] for name in SETTINGS}
    assert all(refs[0].startswith("CoreLayer") for refs in layers.values())
    own = {"predictions": "InferenceLayer", "previews": "PreparationLayer"}
    assert all(refs[1].startswith(own.get(name, "DepsLayer")) for name, refs in layers.items())


def test_every_code_placeholder_is_described(application: Template) -> None:
    described = json.loads((TEMPLATE_PATH / "assets.json").read_text())
    codes = [
        *(item["Code"] for item in application.properties("AWS::Lambda::Function")),
        *(item["Content"] for item in application.properties("AWS::Lambda::LayerVersion")),
    ]
    assert {code["S3Bucket"] for code in codes} == {"asset-bucket"}
    assert sorted({code["S3Key"].removeprefix("asset:") for code in codes}) == sorted(described)


def test_what_is_zipped_exists() -> None:
    for name, asset in json.loads((TEMPLATE_PATH / "assets.json").read_text()).items():
        for path in (*asset.get("files", ()), *filter(None, [asset.get("root")])):
            assert (REPOSITORY / path).exists(), f"asset {name} needs {path}"


def test_logs_of_every_function_end(application: Template) -> None:
    groups = {item["LogGroupName"]: item for item in application.properties("AWS::Logs::LogGroup")}
    for function in application.properties("AWS::Lambda::Function"):
        assert groups[f"/aws/lambda/{function['FunctionName']}"]["RetentionInDays"] > 0


def test_functions_behind_the_api_end_before_it_gives_up(application: Template) -> None:
    for name in ("api", "authorizer", "collectors"):
        assert application.function(name)["Timeout"] <= 29


def test_predictions_may_go_on_for_what_is_answered_later_and_end_requests_before(application: Template) -> None:
    assert application.function("predictions")["Timeout"] == 900
    assert SYNC_SECONDS < 29
