"""/v1/datasets/{dataset}/uploads: single, in parts, repeated, expired."""

import hashlib
from typing import Any

import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import MULTIPART_THRESHOLD_BYTES, PART_BYTES
from tests.functional.gateway import Answer, Api
from tests.functional.ingest import ingest, s3_event, send_bytes

CSV = b"a,b\n1,2\n"


@pytest.fixture(autouse=True)
def dataset(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/v1/datasets", {"name": "data"}).json
    return made


def begin(api: Api, *, num_bytes: int = len(CSV), sha256: str | None = None, name: str = "data.csv") -> Answer:
    digest = sha256 or hashlib.sha256(CSV).hexdigest()
    return api.post("/v1/datasets/data/uploads", {"file_name": name, "num_bytes": num_bytes, "sha256": digest})


def complete(api: Api, upload: Answer) -> Answer:
    return api.post(f"/v1/datasets/data/uploads/{upload.json['id']}/complete")


def test_a_small_upload_is_one_signed_put(api: Api) -> None:
    made = begin(api)
    assert made.status == 201
    request = made.json["request"]
    assert (request["method"], request["headers"]["content-length"], request["headers"]["if-none-match"]) == (
        "PUT",
        "8",
        "*",
    )
    assert made.json["parts"] == []
    assert api.get(made.headers["location"]).json["id"] == made.json["id"]


def test_a7_complete_before_the_bytes_is_refused_and_repeatable_after(api: Api) -> None:
    made = begin(api)
    early = complete(api, made)
    assert (early.status, early.code) == (409, "upload_incomplete")
    send_bytes(api, made.json, CSV)
    first, second = complete(api, made), complete(api, made)
    assert (first.status, first.json["status"], first.json["number"]) == (202, "PENDING", 1)
    assert second.json["number"] == 1
    assert ingest(api) == []
    assert complete(api, made).json["status"] == "READY"
    assert api.get(made.headers["location"]).json["status"] == "COMPLETED"


def test_a1_fewer_bytes_than_declared_are_incomplete(api: Api) -> None:
    made = begin(api)
    send_bytes(api, made.json, CSV[:-1])
    assert complete(api, made).code == "upload_incomplete"


def test_a2_other_bytes_than_declared_are_refused_by_ingest(api: Api) -> None:
    made = begin(api, sha256="0" * 64)
    send_bytes(api, made.json, CSV)
    location = complete(api, made).headers["location"]
    assert ingest(api) == []
    version = api.get(location).json
    assert version["status"] == "REJECTED"
    assert "SHA-256" in version["issues"][0]["reason"]


def test_a8_an_upload_whose_client_died_is_completed_by_its_event(api: Api) -> None:
    made = begin(api)
    send_bytes(api, made.json, CSV)
    upload = made.json
    key = keys.upload_object(upload["workspace_id"], upload["dataset_id"], upload["id"])
    assert ingest(api, s3_event(key), s3_event(key)) == []
    assert api.get("/v1/datasets/data/versions/1").json["status"] == "READY"
    assert complete(api, made).json["number"] == 1
    assert api.get("/v1/datasets/data").json["last_number"] == 1


def test_a6_a_large_upload_comes_in_parts_and_goes_on_where_it_stopped(api: Api) -> None:
    num_bytes = MULTIPART_THRESHOLD_BYTES + 5
    made = begin(api, num_bytes=num_bytes)
    upload = made.json
    assert upload["request"] is None
    sizes = [part["num_bytes"] for part in upload["parts"]]
    assert sizes == [PART_BYTES] * 4 + [5]
    key = keys.upload_object(upload["workspace_id"], upload["dataset_id"], upload["id"])
    for number, size in ((1, PART_BYTES), (3, PART_BYTES), (5, 4)):
        api.ports.landing.redeem_part(key, upload["multipart_id"], number, bytes(size))

    missing = [part["number"] for part in api.get(made.headers["location"]).json["parts"] if part["etag"] is None]

    assert missing == [2, 4, 5]
    assert complete(api, made).code == "upload_incomplete"
    for number, size in ((2, PART_BYTES), (4, PART_BYTES), (5, 5)):
        api.ports.landing.redeem_part(key, upload["multipart_id"], number, bytes(size))
    assert complete(api, made).status == 202
    assert api.ports.landing.head(key) is not None


@pytest.mark.parametrize("num_bytes", [0, -1, 5 * 1024**4 + 1])
def test_sizes_out_of_range_are_refused(api: Api, num_bytes: int) -> None:
    assert begin(api, num_bytes=num_bytes).status == 422


def test_the_largest_file_has_parts_that_s3_takes(api: Api) -> None:
    parts = begin(api, num_bytes=5 * 1024**4).json["parts"]
    assert len(parts) <= 1_024
    assert max(part["num_bytes"] for part in parts) <= 5 * 1024**3
    assert sum(part["num_bytes"] for part in parts) == 5 * 1024**4


def test_a1_the_answer_to_a_huge_upload_fits_where_it_is_kept_and_names_the_next_parts(api: Api) -> None:
    made = begin(api, num_bytes=10 * 1024**3)
    numbers = [part["number"] for part in made.json["parts"] if part["request"]]
    assert (len(made.json["parts"]), numbers) == (640, list(range(1, 51)))
    assert len(made.body) < 200_000
    upload = made.json
    key = keys.upload_object(upload["workspace_id"], upload["dataset_id"], upload["id"])
    for number in (1, 2, 60):
        api.ports.landing.redeem_part(key, upload["multipart_id"], number, bytes(PART_BYTES))
    following = [part["number"] for part in api.get(made.headers["location"]).json["parts"] if part["request"]]
    assert following == list(range(3, 53))


def test_an_aborted_upload_is_gone(api: Api) -> None:
    made = begin(api)
    send_bytes(api, made.json, CSV)
    assert api.delete(made.headers["location"]).status == 204
    assert api.delete(made.headers["location"]).status == 204
    assert complete(api, made).status == 409
    assert list(api.ports.landing.list("uploads/")) == []


def test_a_completed_upload_is_not_aborted(api: Api) -> None:
    made = begin(api)
    send_bytes(api, made.json, CSV)
    complete(api, made)
    assert api.delete(made.headers["location"]).status == 409


def test_a9_names_of_files_are_only_shown(api: Api) -> None:
    for name in ("../../x", "%2e%2e", "a\\b", "CON", "x" * 1024, "\u202eexe.csv", "trailing. "):
        made = begin(api, name=name)
        assert made.status == 201
        assert made.json["file_name"] == name
        assert name not in made.json["request"]["url"]


def test_the_same_key_makes_one_upload(api: Api) -> None:
    body = {"file_name": "x", "num_bytes": 1, "sha256": "0" * 64}
    first = api.post("/v1/datasets/data/uploads", body, idempotency_key="k")
    second = api.post("/v1/datasets/data/uploads", body, idempotency_key="k")
    assert first.json["id"] == second.json["id"]
    assert len(api.get("/v1/datasets/data/uploads").json["items"]) == 1


def test_a7_another_workspace_cannot_complete(api: Api) -> None:
    made = begin(api)
    stranger = api.as_stranger()
    for path in (f"/v1/datasets/{made.json['dataset_id']}/uploads/{made.json['id']}",):
        assert stranger.get(path).status == 404
        assert stranger.post(f"{path}/complete").status == 404
        assert stranger.delete(path).status == 404
