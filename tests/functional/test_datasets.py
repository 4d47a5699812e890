"""/v1/datasets and their versions, through the real handlers of the API and of ingest."""

import hashlib
from typing import Any

import pytest

from tests.functional.gateway import Api
from tests.functional.ingest import ingest, s3_event, send_bytes

CSV = b"age,city,income\n39,Bonn,<=50K\n50,Berlin,>50K\n28,=cmd,<=50K\n"


def upload(
    api: Api, body: bytes, *, dataset: str = "adult", name: str = "adult.csv", mode: str = "replace"
) -> dict[str, Any]:
    request = {"mode": mode, "file_name": name, "num_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    made = api.post(f"/v1/datasets/{dataset}/uploads", request)
    assert made.status == 201, made.text
    send_bytes(api, made.json, body)
    completed = api.post(f"/v1/datasets/{dataset}/uploads/{made.json['id']}/complete")
    assert completed.status == 202, completed.text
    assert ingest(api) == []
    version: dict[str, Any] = api.get(completed.headers["location"]).json
    return version


@pytest.fixture
def dataset(api: Api) -> dict[str, Any]:
    made = api.post("/v1/datasets", {"name": "adult", "target": "income"})
    assert made.status == 201
    found: dict[str, Any] = made.json
    return found


def test_dataset_is_made_found_listed_and_changed(api: Api, dataset: dict[str, Any]) -> None:
    assert api.get("/v1/datasets/adult").json == api.get(f"/v1/datasets/{dataset['id']}").json == dataset
    assert api.get("/v1/datasets").json["items"] == [dataset]
    assert api.post("/v1/datasets", {"name": "adult"}).status == 409
    assert api.patch("/v1/datasets/adult", {"description": "x"}).status == 428
    changed = api.patch("/v1/datasets/adult", {"description": "x", "target": None}, revision=1)
    assert (changed.json["description"], changed.json["target"]) == ("x", None)
    assert api.patch("/v1/datasets/adult", {"description": "y"}, revision=1).status == 412


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Not A Name"},
        {"name": "ds_" + "0" * 27},
        {"name": "x", "policy": {"max_bad_fraction": 2}},
        {"name": "x", "policy": {"drop_window_seconds": 301}},
        {"name": "x", "unknown": 1},
        {},
    ],
)
def test_a_wrong_dataset_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.post("/v1/datasets", body).status == 422


def test_version_has_schema_and_profile(api: Api, dataset: dict[str, Any]) -> None:
    version = upload(api, CSV)
    assert (version["status"], version["num_rows"], version["target"]) == ("READY", 3, "income")
    assert [column["type"] for column in version["data_schema"]["columns"]] == ["integer", "string", "string"]
    assert version["profile"]["columns"][0]["max"] == 50
    assert api.get("/v1/datasets/adult").json["latest_version"] == 1
    (listed,) = api.get("/v1/datasets/adult/versions").json["items"]
    assert listed["digest"] == version["digest"]
    assert api.get("/v1/datasets/adult/versions/2").status == 404


def test_rows_are_previewed_and_exported_without_formulas(api: Api, dataset: dict[str, Any]) -> None:
    upload(api, CSV)
    preview = api.get("/v1/datasets/adult/versions/1/rows?limit=2").json
    assert preview["columns"] == ["age", "city", "income"]
    assert preview["rows"][0] == {"age": 39, "city": "Bonn", "income": "<=50K"}
    assert len(preview["rows"]) == 2
    exported = api.get("/v1/datasets/adult/versions/1/rows.csv")
    assert exported.headers["content-type"] == "text/csv"
    assert exported.text.splitlines()[3] == "28,'=cmd,<=50K"


def test_quarantine_is_read_page_by_page(api: Api, dataset: dict[str, Any]) -> None:
    bad = b"".join(b"1\n" for _ in range(5))
    version = upload(api, CSV + CSV.partition(b"\n")[2] * 60 + bad)
    assert version["num_quarantined"] == 5
    lines, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/v1/datasets/adult/versions/1/quarantine?limit=2{cursor and f'&cursor={cursor}'}").json
        lines += [(item["line"], item["text"]) for item in page["items"]]
        cursor = page["next_cursor"]
    assert lines == [(185 + index, "1") for index in range(5)]


def test_rejected_version_says_why_and_shows_no_rows(api: Api, dataset: dict[str, Any]) -> None:
    version = upload(api, b"a,b\n1,2\n")
    assert version["status"] == "REJECTED"
    assert "income" in version["status_reason"]
    answer = api.get("/v1/datasets/adult/versions/1/rows")
    assert (answer.status, answer.code) == (409, "conflict")


def test_a_dropped_file_becomes_a_version_of_a_new_dataset(api: Api) -> None:
    key = "drop/team/cars/2026/my file+1 (ü).csv"
    api.ports.landing.put(key, CSV)
    assert ingest(api, {"Service": "Amazon S3", "Event": "s3:TestEvent"}, s3_event(key, key), s3_event(key)) == []
    (dataset,) = api.get("/v1/datasets").json["items"]
    assert (dataset["name"], dataset["created_by"], dataset["last_number"]) == ("cars", "platform:ingest", 1)


def test_only_a_poisonous_message_is_delivered_again(api: Api) -> None:
    api.ports.landing.put("drop/team/cars/a.csv", CSV)
    assert ingest(api, "no json", s3_event("drop/team/cars/a.csv"), {"type": "close_version"}) == [
        "message-0",
        "message-2",
    ]
    assert api.get("/v1/datasets/cars").json["last_number"] == 1


def test_deleting_a_dataset_takes_it_away(api: Api, dataset: dict[str, Any]) -> None:
    upload(api, CSV)
    assert api.delete("/v1/datasets/adult").status == 204
    assert api.get("/v1/datasets/adult").status == 404
    assert api.get(f"/v1/datasets/{dataset['id']}/versions/1").status == 404
    assert api.post("/v1/datasets", {"name": "adult"}).json["last_number"] == 0


def test_c10_dataset_in_use_is_not_deleted(api: Api, dataset: dict[str, Any]) -> None:
    upload(api, CSV)
    job = api.post("/v1/jobs", {"spec": {"kind": "train", "dataset": "adult", "algorithm": "linear"}})
    assert job.status == 202, job.text
    refused = api.delete("/v1/datasets/adult")
    assert refused.status == 409
    assert job.json["id"] in refused.json["detail"]
    assert api.post(f"/v1/jobs/{job.json['id']}/stop").json["status"] == "STOPPED"
    assert api.delete("/v1/datasets/adult").status == 204


def test_h2_another_workspace_sees_nothing(api: Api, dataset: dict[str, Any]) -> None:
    upload(api, CSV)
    stranger = api.as_stranger()
    for path in ("", "/versions", "/versions/1", "/versions/1/rows", "/versions/1/quarantine", "/uploads"):
        assert stranger.get(f"/v1/datasets/{dataset['id']}{path}").status == 404, path
    assert stranger.get("/v1/datasets").json["items"] == []
    assert stranger.delete(f"/v1/datasets/{dataset['id']}").status == 404
