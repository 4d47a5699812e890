"""/v1/settings: where values come from, changes with If-Match, history, reverting, and who may."""

from typing import Any

import pytest

from aimass_core.domain.settings.contract import Subsystem
from aimass_core.domain.settings.subsystems import SUBSYSTEMS
from tests.functional.gateway import Answer, Api

TRAINING = "/v1/settings/training"


def change(api: Api, subsystem: str = "training", **values: Any) -> Answer:
    revision = api.get(f"/v1/settings/{subsystem}").json["revision"]
    return api.patch(f"/v1/settings/{subsystem}", {"values": values}, revision=revision)


def test_every_subsystem_has_a_form_and_a_value_of_each_of_its_fields(api: Api) -> None:
    api.ports.deployment_settings = {}
    found = {each["subsystem"]: each for each in api.get("/v1/settings").json["items"]}
    assert set(found) == set(Subsystem) == set(SUBSYSTEMS)
    for subsystem, detail in found.items():
        assert detail["description"], subsystem
        described = detail["json_schema"]["properties"]
        assert set(described) == set(detail["values"]) == set(detail["fields"])
        for name, field in detail["fields"].items():
            assert {"title", "description"} <= described[name].keys(), (subsystem, name)
            assert field["applies"] == described[name]["applies"]
            assert field["value"] == field["default"] == detail["values"][name]
            assert (field["source"], field["version"]) == ("default", None)


def test_a_change_says_who_made_it_when_and_what_held_before(api: Api) -> None:
    before = api.get(TRAINING)
    assert before.headers["etag"] == '"1"'
    answer = api.patch(TRAINING, {"values": {"checkpoint_seconds": 30}, "reason": "spot"}, revision=1)
    assert (answer.status, answer.headers["etag"]) == (200, '"2"')
    field = answer.json["fields"]["checkpoint_seconds"]
    assert (field["value"], field["default"], field["source"], field["version"]) == (30, 60, "workspace", 2)
    assert field["changed_by"] == api.get("/v1/me").json["actor"]
    assert api.get(TRAINING).json == answer.json
    history = api.get(f"{TRAINING}/history").json["items"]
    assert [each["version"] for each in history] == [2]
    assert history[0]["changed"] == {"checkpoint_seconds": {"before": None, "after": 30}}
    assert history[0]["reason"] == "spot"


def test_null_brings_the_default_back(api: Api) -> None:
    change(api, checkpoint_seconds=30, max_seconds=120)
    answer = change(api, checkpoint_seconds=None)
    assert answer.json["fields"]["checkpoint_seconds"]["source"] == "default"
    assert answer.json["values"]["checkpoint_seconds"] == 60
    assert answer.json["values"]["max_seconds"] == 120


def test_any_former_version_is_brought_back_as_a_new_one(api: Api) -> None:
    for seconds in (30, 40, 50):
        change(api, checkpoint_seconds=seconds)
    values = [
        api.post(f"{TRAINING}/revert", body).json["values"]["checkpoint_seconds"]
        for body in ({}, {"version": 2}, {"version": 1})
    ]
    assert values == [40, 30, 60]
    assert [each["version"] for each in api.get(f"{TRAINING}/history").json["items"]] == [7, 6, 5, 4, 3, 2]
    for version in (7, 99):
        assert api.post(f"{TRAINING}/revert", {"version": version}).code == "not_found"


def test_there_is_nothing_before_the_first_version(api: Api) -> None:
    assert api.post(f"{TRAINING}/revert", {}).code == "not_found"


def test_h9_a_change_names_the_version_that_it_is_based_on(api: Api) -> None:
    body = {"values": {"max_seconds": 120}}
    assert api.patch(TRAINING, body).code == "precondition_required"
    assert api.patch(TRAINING, body, revision=2).code == "stale_revision"
    assert api.patch(TRAINING, body, revision=1).status == 200
    assert api.patch(TRAINING, body, revision=1).code == "stale_revision"


def test_what_changes_nothing_is_no_version(api: Api) -> None:
    change(api, max_seconds=120)
    assert change(api, max_seconds=120).json["revision"] == 2
    assert change(api, checkpoint_seconds=None).json["revision"] == 2


@pytest.mark.parametrize(
    ("subsystem", "values", "words"),
    [
        ("training", {"checkpoint_seconds": 0}, "checkpoint_seconds"),
        ("training", {"checkpoint_seconds": "soon"}, "checkpoint_seconds"),
        ("training", {"max_second": 10}, "There are: max_seconds"),
        ("training", {"backend": "sagemaker"}, "instance_type"),
        ("search", {"sampler": "oracle"}, "sampler"),
        ("compression", {"methods": []}, "methods"),
        ("logging", {"level": "loud"}, "level"),
        ("quotas", {"monthly_budget_usd": -1}, "monthly_budget_usd"),
    ],
)
def test_what_cannot_hold_is_refused_in_its_place(api: Api, subsystem: str, values: dict[str, Any], words: str) -> None:
    answer = change(api, subsystem, **values)
    assert (answer.status, answer.code) == (422, "invalid_request")
    assert words in answer.text
    assert all(each["location"].startswith("body.values") for each in answer.json["errors"])
    assert api.get(f"/v1/settings/{subsystem}").json["revision"] == 1


@pytest.mark.parametrize("path", ["/v1/settings/nothing", "/v1/settings/nothing/history", "/v1/settings/TRAINING"])
def test_there_are_no_other_subsystems(api: Api, path: str) -> None:
    assert api.get(path).code == "not_found"


def test_what_the_deployment_says_holds_and_bounds_quotas(api: Api) -> None:
    api.ports.deployment_settings = {"quotas": {"max_jobs_active": 5}, "training": {"max_seconds": 600}}
    quotas = api.get("/v1/settings/quotas").json
    assert quotas["fields"]["max_jobs_active"]["source"] == "deployment"
    assert quotas["json_schema"]["properties"]["max_jobs_active"]["maximum"] == 5
    refused = change(api, "quotas", max_jobs_active=6)
    assert refused.code == "invalid_request"
    assert "at most" in refused.text
    assert change(api, "quotas", max_jobs_active=3).json["values"]["max_jobs_active"] == 3
    assert change(api, max_seconds=900).json["values"]["max_seconds"] == 900
    # Whoever runs it lowers the limit below what the workspace has set.
    api.ports.deployment_settings = {"quotas": {"max_jobs_active": 2}}
    assert api.get("/v1/settings/quotas").json["values"]["max_jobs_active"] == 2


def test_every_change_is_audited_with_what_was_before_and_after(api: Api) -> None:
    change(api, max_seconds=120)
    change(api, max_seconds=180)
    entry = api.get("/v1/audit").json["items"][0]
    assert (entry["action"], entry["target_id"]) == ("settings.update", "training")
    assert entry["details"] == {"version": 3}
    assert entry["changes"] == {"values.max_seconds": {"before": 120, "after": 180}}


def test_h2_settings_are_of_the_workspace(api: Api) -> None:
    stranger = api.as_stranger()
    change(api, max_seconds=120)
    assert stranger.get(TRAINING).json["values"]["max_seconds"] == 3_600
    assert stranger.get(f"{TRAINING}/history").json["items"] == []
    assert stranger.post(f"{TRAINING}/revert", {"version": 2}).code == "not_found"


def test_h3_developers_read_and_admins_change(api: Api) -> None:
    developer = api.as_role("developer")
    assert developer.get(TRAINING).status == 200
    assert developer.patch(TRAINING, {"values": {"max_seconds": 120}}, revision=1).code == "permission_denied"
