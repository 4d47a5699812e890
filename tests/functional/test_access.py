"""Who may do what: every route without a key, with each role, with another workspace's key."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aimass_core.domain.common import Role, new_id
from functions.api import permissions_page
from functions.api.app import OPERATIONS
from functions.api.routing import Operation
from tests.functional.gateway import Api

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
CLOSED = [operation for operation in OPERATIONS if operation.role is not None]
OPEN = {
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/docs"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/sessions/refresh"),
}
PATHS = sorted({operation.path for operation in OPERATIONS})


def address(operation_path: str) -> str:
    """A path with ids of nothing."""
    found = operation_path.replace("<grantee>", new_id("ws")).replace("<subsystem>", "training")
    found = re.sub(r"<(number|part)>", "1", found).replace("<secret>", "token")
    return re.sub(
        r"<(\w+)>",
        lambda match: new_id({"workspace": "ws", "api_key": "key", "user": "usr"}.get(match[1], "ds")),
        found,
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_h1_nothing_is_answered_without_a_key(api: Api, method: str, path: str) -> None:
    open_paths = {operation.path for operation in OPERATIONS if operation.role is None}
    is_open = (method, path) in OPEN
    if path in open_paths and method == "GET" and is_open:
        assert api.as_nobody().request(method, path).status == 200
    elif is_open:
        assert api.as_nobody().request(method, path, json={}).code == "invalid_request", "signing in"
    else:
        assert api.as_nobody().request(method, address(path)).status == 401


def test_h1_only_the_documentation_and_signing_in_are_open() -> None:
    assert {(operation.method, operation.path) for operation in OPERATIONS if operation.role is None} == OPEN


@pytest.mark.parametrize("operation", CLOSED, ids=lambda operation: operation.name)
@pytest.mark.parametrize("role", Role)
def test_h3_role_may_do_what_its_routes_declare(api: Api, role: Role, operation: Operation) -> None:
    answer = api.as_role(role).request(operation.method, address(operation.path))
    assert operation.role is not None
    if role.includes(operation.role):
        assert answer.status != 403
    else:
        assert (answer.status, answer.code) == (403, "permission_denied")


# The whole matrix, apart from the code: who may at least do what. A new operation must be entered here.
LEAST_ROLES = {
    Role.VIEWER: "get_me get_system create_session_code end_session change_password "
    "begin_second_factor confirm_second_factor end_second_factor list_shared list_algorithms "
    "list_workspaces get_workspace list_datasets get_dataset "
    "list_dataset_versions get_dataset_version get_dataset_rows export_dataset_rows list_quarantined_rows list_jobs "
    "list_studies get_study list_trials get_best get_figures "
    "get_job list_job_events list_job_event_files list_job_logs list_job_artifacts list_models get_model "
    "list_model_versions get_model_version list_endpoints get_endpoint list_endpoint_history get_dataset_lineage "
    "create_query query_dataset list_queries get_query stop_query get_query_rows get_query_result "
    # Of a source: who may do these, its use cases decide (test_sources.py).
    "list_sources get_source update_source delete_source list_source_revisions pause_source resume_source "
    "set_source_secret delete_source_secret list_source_runs run_source get_source_state reset_source_state "
    "list_source_datasets create_source_webhook get_source_lineage",
    Role.COLLECTOR: "create_source create_dataset list_uploads create_upload get_upload complete_upload delete_upload "
    # The package of a collector is one.
    "create_job_source",
    Role.DEVELOPER: "update_dataset delete_dataset delete_dataset_version create_job estimate_job "
    "preview_dataset "
    "stop_job retry_job delete_study update_model delete_model delete_model_version create_endpoint update_endpoint "
    "decide_model_version delete_endpoint promote_endpoint roll_back_endpoint revert_endpoint",
    Role.ADMIN: "create_workspace update_workspace list_api_keys create_api_key get_api_key revoke_api_key list_audit "
    "rotate_api_key "
    "list_dataset_grants grant_dataset revoke_dataset_grant list_model_grants grant_model revoke_model_grant "
    "list_endpoint_grants grant_endpoint revoke_endpoint_grant "
    "list_users invite_user get_user update_user remove_user invite_user_again "
    "list_source_grants grant_source revoke_source list_given",
}


OF_QUALITY = {
    Role.VIEWER: "get_quality_trend suggest_expectations get_quality_report get_quality_page list_quarantines "
    "list_triggers get_trigger list_trigger_runs",
    Role.COLLECTOR: "check_quality replay_quarantine",
    Role.DEVELOPER: "discard_quarantine create_trigger update_trigger delete_trigger",
}
OF_MANAGEMENT = {
    Role.VIEWER: "list_settings get_settings list_settings_history get_costs get_budget",
    Role.ADMIN: "update_settings revert_settings",
}
OF_NOTIFICATIONS = {
    Role.VIEWER: "list_notifications get_notification list_notification_types list_reports get_report "
    "list_report_plans get_report_plan",
    Role.DEVELOPER: "list_notification_channels get_notification_channel list_notification_rules "
    "get_notification_rule list_notification_deliveries get_notification_delivery retry_notification_delivery "
    "create_report delete_report create_report_plan update_report_plan delete_report_plan",
    Role.ADMIN: "create_notification_channel update_notification_channel delete_notification_channel "
    "rotate_notification_channel test_notification_channel create_notification_rule update_notification_rule "
    "delete_notification_rule",
}
OF_SERVING = {
    Role.VIEWER: "create_prediction_input get_prediction get_endpoint_metrics get_endpoint_drift "
    "get_endpoint_performance get_endpoint_alarms get_endpoint_page",
    Role.DEVELOPER: "set_endpoint_truth set_endpoint_alarms export_captures",
}
OF_OPERATIONS = {
    Role.VIEWER: "get_system_status",
    Role.DEVELOPER: "list_logs",
    Role.ADMIN: "export_audit get_audit_proof list_dead_letters redrive_dead_letters purge_dead_letters",
}


OF_MOVES = {
    Role.VIEWER: "get_workspace_deletion list_dataset_files",
    Role.ADMIN: "export_workspace list_workspace_exports get_workspace_export create_workspace_archive "
    "import_workspace list_workspace_imports get_workspace_import delete_workspace keep_workspace",
}


def test_h3_matrix_of_roles_is_the_one_that_was_decided() -> None:
    parts = (LEAST_ROLES, OF_QUALITY, OF_SERVING, OF_MANAGEMENT, OF_NOTIFICATIONS, OF_OPERATIONS, OF_MOVES)
    decided = {name: role for part in parts for role, names in part.items() for name in names.split()}
    assert {operation.name: operation.role for operation in CLOSED} == decided


def test_h3_page_of_permissions_is_what_the_api_decides_by() -> None:
    page = Path(__file__).parents[2] / "docs" / "PERMISSIONS.md"
    assert page.read_text("utf-8") == permissions_page.build(OPERATIONS), (
        "python -m functions.api.permissions_page > docs/PERMISSIONS.md"
    )


def test_h3_viewers_only_read_and_only_admins_govern() -> None:
    reading = {
        "create_session_code",
        "change_password",
        "begin_second_factor",
        "confirm_second_factor",
        "end_second_factor",
        "end_session",
        "create_query",
        "query_dataset",
        "stop_query",
        "create_prediction_input",
    }
    for operation in CLOSED:
        if operation.role is Role.VIEWER and operation.name not in reading:
            assert operation.method == "GET" or operation.verb is not None, operation
        if operation.path.startswith(("/v1/api-keys", "/v1/audit")) or operation.name == "create_workspace":
            assert operation.role is Role.ADMIN, operation


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer {token} {token}",
        "Bearer {upper}",
        "Bearer aim_" + "0" * 27 + "_" + "0" * 27 + "_" + "A" * 43,
        "Bearer " + "a" * 70_000,
    ],
)
def test_a_token_that_is_not_exactly_right_is_refused(api: Api, authorization: str) -> None:
    assert api.token is not None
    header = authorization.format(token=api.token, upper=api.token.upper())
    answer = api.as_nobody().request("GET", "/v1/me", headers={"Authorization": header})
    assert answer.status == 401


def test_h5_secret_of_one_key_does_not_open_another(api: Api) -> None:
    first = api.post("/v1/api-keys", {"name": "a", "role": "viewer"}).json["secret"]
    second = api.post("/v1/api-keys", {"name": "b", "role": "admin"}).json["secret"]
    mixed = f"{second[:-43]}{first[-43:]}"
    assert api.as_nobody().request("GET", "/v1/me", headers={"Authorization": f"Bearer {mixed}"}).status == 401


def test_h5_key_in_the_query_or_in_two_headers_is_not_read(api: Api) -> None:
    assert api.as_nobody().get(f"/v1/me?api_key={api.token}&authorization=Bearer%20{api.token}").status == 401
    twice: dict[str, Any] = {"Authorization": [f"Bearer {api.token}", f"Bearer {api.token}"]}
    assert api.request("GET", "/v1/me", headers=twice).status == 401


def test_h5_rotated_secrets_both_hold_in_the_overlap(api: Api) -> None:
    now = datetime.now(UTC)
    old = api.as_role("developer")
    key_id = old.get("/v1/me").json["actor"]
    rotated = api.post(f"/v1/api-keys/{key_id}/rotate", {"overlap_seconds": 3600})
    assert (rotated.status, rotated.json["id"], rotated.json["role"]) == (201, key_id, "developer")
    new = Api(gateway=api.gateway, workspace=api.workspace, token=rotated.json["secret"])
    assert old.get("/v1/me").json == new.get("/v1/me").json
    api.ports.clock = lambda: now + timedelta(hours=1, seconds=5)
    assert (old.get("/v1/me").status, new.get("/v1/me").status) == (401, 200)


def test_h5_another_rotation_ends_the_oldest_secret_and_no_overlap_the_former_one(api: Api) -> None:
    first = api.as_role("viewer")
    path = f"/v1/api-keys/{first.get('/v1/me').json['actor']}/rotate"
    second, third, last = (
        Api(
            gateway=api.gateway, workspace=api.workspace, token=api.post(path, {"overlap_seconds": each}).json["secret"]
        )
        for each in (3600, 3600, 0)
    )
    assert [each.get("/v1/me").status for each in (first, second, third, last)] == [401, 401, 401, 200]
    assert api.delete(path.removesuffix("/rotate")).status == 204
    assert last.get("/v1/me").status == 401
    assert api.post(path, {}).code == "conflict"


def test_h5_rotated_keys_both_work_until_the_old_one_is_revoked(api: Api) -> None:
    old = api.as_role("admin")
    new = old.as_role("admin")
    assert old.get("/v1/me").status == new.get("/v1/me").status == 200
    assert new.delete(f"/v1/api-keys/{old.get('/v1/me').json['actor']}").status == 204
    assert (old.get("/v1/me").status, new.get("/v1/me").status) == (401, 200)


def test_h5_revoked_key_ends_at_once_and_others_go_on(api: Api) -> None:
    viewer = api.as_role("viewer")
    key_id = viewer.get("/v1/me").json["actor"]
    assert api.delete(f"/v1/api-keys/{key_id}").status == 204
    assert viewer.get("/v1/me").status == 401
    assert api.delete(f"/v1/api-keys/{key_id}").status == 204
    assert api.get(f"/v1/api-keys/{key_id}").json["revoked_at"] is not None
    assert api.get("/v1/me").status == 200


def test_a_key_ends_when_it_expires(api: Api) -> None:
    now = datetime.now(UTC)
    expires_at = (now + timedelta(hours=1)).isoformat()
    made = api.post("/v1/api-keys", {"name": "short", "role": "viewer", "expires_at": expires_at})
    short = Api(gateway=api.gateway, workspace=api.workspace, token=made.json["secret"])
    assert short.get("/v1/me").status == 200
    api.ports.clock = lambda: now + timedelta(hours=1)
    assert short.get("/v1/me").status == 401


def test_an_expiry_lies_in_the_future_and_has_a_time_zone(api: Api) -> None:
    for expires_at in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "0000-00-00", "never"):
        answer = api.post("/v1/api-keys", {"name": "k", "role": "viewer", "expires_at": expires_at})
        assert (answer.status, answer.code) == (422, "invalid_request")


def test_the_last_admin_key_cannot_be_revoked(api: Api) -> None:
    own = api.get("/v1/me").json["actor"]
    expires_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    api.post("/v1/api-keys", {"name": "expires", "role": "admin", "expires_at": expires_at})
    assert api.delete(f"/v1/api-keys/{own}").code == "conflict"
    other = api.as_role("admin")
    assert api.delete(f"/v1/api-keys/{own}").status == 204
    assert api.get("/v1/me").status == 401
    assert other.delete(f"/v1/api-keys/{other.get('/v1/me').json['actor']}").code == "conflict"


def test_h5_secrets_are_nowhere_in_what_is_stored(api: Api) -> None:
    made = api.post("/v1/api-keys", {"name": "k", "role": "viewer"}, idempotency_key="once")
    secret = made.json["secret"]
    listed = json.dumps([api.get(path).json for path in ("/v1/api-keys", "/v1/audit")])
    rows = api.ports.registry.query(f"WS#{api.workspace.id}", "", limit=1000).rows
    stored = listed + repr([row.data for row in rows]) + api.gateway.store.dump()
    assert secret not in stored
    assert secret[-43:] not in stored


def test_h2_strangers_key_is_not_found(api: Api) -> None:
    stranger = api.as_stranger()
    own = api.get("/v1/me").json["actor"]
    assert stranger.get(f"/v1/api-keys/{own}").status == 404
    assert stranger.delete(f"/v1/api-keys/{own}").status == 404
    assert own not in [key["id"] for key in stranger.get("/v1/api-keys").json["items"]]
    assert api.get("/v1/me").status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:4566", "*"])
def test_h12_no_answer_lets_a_page_of_another_origin_read_it(api: Api, origin: str) -> None:
    """The console is of the API's own origin, so the list of others is empty."""
    expected = {("GET", "/v1/me"): 200, ("GET", "/v1/openapi.json"): 200, ("OPTIONS", "/v1/me"): 405}
    for (method, path), status in expected.items():
        sent: dict[str, str | list[str]] = {"Origin": origin, "Access-Control-Request-Method": "GET", "Cookie": "a=b"}
        answer = api.request(method, path, headers=sent)
        assert answer.status == status
        assert not [name for name in answer.headers if name.startswith("access-control-")]
