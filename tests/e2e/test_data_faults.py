"""Group A of the fault list on the deployed stack: uploads that lie, repeat, hurry or die, and what the user reads."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

import aimass
from aimass import cli
from aimass.resources.datasets import DatasetVersion
from aimass_core.domain import keys
from aimass_core.domain.datasets import DatasetPolicy, Upload
from aimass_core.errors import NotFoundError, UploadIncompleteError
from aimass_core.services.ingest.base_files import MAX_SMALL_FILES
from tests.ports import free_port
from tests.stack import Stack, wait_until

CSV, OTHER = b"a,b\n1,2\n", b"a,b\n9,9\n"
GIB = 1024**3


@pytest.fixture
def dataset(client: aimass.Client) -> str:
    return client.datasets.create(f"faults-{uuid4().hex[:12]}").name


def begin(client: aimass.Client, dataset: str, body: bytes = CSV, *, num_bytes: int | None = None) -> Upload:
    request = {"file_name": "x.csv", "num_bytes": num_bytes or len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return Upload.model_validate(client.http.request("POST", f"/v1/datasets/{dataset}/uploads", body=request))


def put(upload: Upload, body: bytes, *, url: str | None = None, **changed: str | None) -> tuple[int, str]:
    """Redeems the signed request, with some headers changed (None: left out). Returns status and S3's code."""
    assert upload.request is not None
    headers = {**upload.request.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    sent = {name: value for name, value in headers.items() if value is not None}
    answer = httpx2.put(url or upload.request.url, content=body, headers=sent)
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def complete(client: aimass.Client, upload: Upload) -> DatasetVersion:
    path = f"/v1/datasets/{upload.dataset_id}/uploads/{upload.id}/complete"
    return DatasetVersion.model_validate(client.http.request("POST", path), context={"client": client})


def status_of(client: aimass.Client, upload: Upload) -> str:
    found = client.http.request("GET", f"/v1/datasets/{upload.dataset_id}/uploads/{upload.id}")
    return str(found["status"])


def checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def test_a1_more_bytes_than_declared_are_refused_by_s3(client: aimass.Client, dataset: str) -> None:
    upload = begin(client, dataset)
    longer = CSV + b"3,4\n" * 1000
    assert put(upload, longer, content_length=str(len(longer)))[0] == 403
    assert put(upload, longer, content_length=str(len(longer)), x_amz_checksum_sha256=checksum(longer))[0] == 403
    assert status_of(client, upload) == "AWAITING"
    assert client.datasets.get(dataset).last_number == 0


def test_a1_ten_declared_gigabytes_that_do_not_come_are_no_version(client: aimass.Client, dataset: str) -> None:
    upload = begin(client, dataset, num_bytes=10 * GIB)
    assert len(upload.parts) == 640
    first = upload.parts[0]
    assert first.request is not None
    answer = httpx2.put(first.request.url, content=b"x" * 1000, headers={"content-length": "1000"})
    assert answer.status_code == 403
    with pytest.raises(UploadIncompleteError, match="640 of 640 parts"):
        complete(client, upload)
    assert client.datasets.get(dataset).last_number == 0
    client.http.request("DELETE", f"/v1/datasets/{dataset}/uploads/{upload.id}")
    assert status_of(client, upload) == "EXPIRED"


def test_a2_other_bytes_than_declared_are_refused_and_the_right_ones_taken(client: aimass.Client, dataset: str) -> None:
    upload = begin(client, dataset)
    assert put(upload, OTHER) == (400, "BadDigest")
    assert status_of(client, upload) == "AWAITING"
    assert put(upload, CSV)[0] == 200
    assert complete(client, upload).wait(timeout_seconds=300).num_rows == 1


def test_a3_a_put_without_its_signed_headers_is_refused(client: aimass.Client, dataset: str) -> None:
    upload = begin(client, dataset)
    assert put(upload, CSV, x_amz_checksum_sha256=None)[0] == 403
    assert put(upload, OTHER, x_amz_checksum_sha256=checksum(OTHER))[0] == 403
    assert put(upload, CSV, if_none_match=None)[0] == 403
    assert status_of(client, upload) == "AWAITING"


def test_a4_a_replayed_url_writes_nothing(stack: Stack, client: aimass.Client, dataset: str) -> None:
    upload = begin(client, dataset)
    assert put(upload, CSV)[0] == 200
    assert put(upload, CSV) == (412, "PreconditionFailed")
    assert put(upload, OTHER) == (412, "PreconditionFailed")
    key = keys.upload_object(upload.workspace_id, upload.dataset_id, upload.id)
    stored = stack.aws("s3").get_object(Bucket=stack.outputs["LandingBucketName"], Key=key)["Body"].read()
    assert stored == CSV


def test_a5_a_signed_url_is_good_for_its_time_its_key_and_its_bucket(
    stack: Stack, client: aimass.Client, dataset: str
) -> None:
    upload = begin(client, dataset)
    assert upload.request is not None
    url = upload.request.url
    assert put(upload, CSV, url=url.replace(upload.id, upload.id[:-1] + "x"))[0] == 403
    assert (
        put(upload, CSV, url=url.replace(stack.outputs["LandingBucketName"], stack.outputs["LakeBucketName"]))[0] == 403
    )
    assert put(upload, CSV, url=url.replace("X-Amz-Expires=3", "X-Amz-Expires=4"))[0] == 403
    target = {"Bucket": stack.outputs["LandingBucketName"], "Key": "uploads/expired"}
    short = stack.aws("s3").generate_presigned_url("put_object", Params=target, ExpiresIn=1)
    wait_until(lambda: httpx2.put(short, content=CSV).status_code == 403)


def test_a7_complete_early_twice_and_by_a_stranger(stack: Stack, client: aimass.Client, dataset: str) -> None:
    upload = begin(client, dataset)
    with pytest.raises(UploadIncompleteError, match="None of the 8 bytes"):
        complete(client, upload)
    put(upload, CSV)
    stranger = foreign_client(stack, client)
    with stranger, pytest.raises(NotFoundError):
        complete(stranger, upload)
    with ThreadPoolExecutor(4) as pool:
        numbers = set(pool.map(lambda _: complete(client, upload).number, range(4)))
    assert numbers == {1}
    assert client.datasets.get_version(dataset, 1).wait(timeout_seconds=300).num_rows == 1
    again = complete(client, upload)
    assert (again.profile, again.wait().profile is not None) == (None, True)


def foreign_client(stack: Stack, client: aimass.Client) -> aimass.Client:
    name = f"other-{uuid4().hex[:12]}"
    made = client.http.request("POST", "/v1/workspaces", body={"name": name})
    return aimass.Client(base_url=stack.url, api_key=made["secret"])


def test_a8_events_that_come_late_thrice_and_out_of_order_land_a_file_once(stack: Stack, client: aimass.Client) -> None:
    name, bucket = f"drops-{uuid4().hex[:12]}", stack.outputs["LandingBucketName"]
    dropped = [f"drop/default/{name}/{number}.csv" for number in range(3)]
    for number, key in enumerate(dropped):
        stack.aws("s3").put_object(Bucket=bucket, Key=key, Body=b"a,b\n%d,x\n" % number)
    queues = stack.aws("sqs").list_queues()["QueueUrls"]
    url = next(each for each in queues if "ingest" in each.lower() and "dead" not in each.lower())
    for key in [*reversed(dropped)] * 3:
        event = {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]}
        stack.aws("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event))
    latest = wait_until(lambda: version_with(client, name, 3))
    assert sorted(row["a"] for row in latest.rows()) == [0, 1, 2]


def version_with(client: aimass.Client, name: str, num_rows: int) -> DatasetVersion | None:
    try:
        latest = client.datasets.get(name).latest_version
    except NotFoundError:
        return None
    version = client.datasets.get_version(name, latest) if latest else None
    return version if version is not None and (version.num_rows or 0) >= num_rows else None


def test_a18_the_same_content_at_once_is_one_file_and_lives_on_in_the_other(
    stack: Stack, client: aimass.Client, dataset: str
) -> None:
    other = client.datasets.create(f"twin-{uuid4().hex[:12]}").name
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda name: send(client, name), [dataset, dataset, other]))
    assert len({version.digest for version in found}) == 1
    assert {version.number for version in found[:2]} == {1, 2}
    s3, lake = stack.aws("s3"), stack.outputs["LakeBucketName"]
    folder = f"{keys.dataset_prefix(found[0].workspace_id, found[0].dataset_id)}files/"
    assert s3.list_objects_v2(Bucket=lake, Prefix=folder)["KeyCount"] == 1
    client.datasets.delete(dataset)
    assert client.datasets.get_version(other, 1).rows() == [{"a": 1, "b": 2}]


def send(client: aimass.Client, name: str) -> DatasetVersion:
    upload = begin(client, name)
    assert put(upload, CSV)[0] == 200
    return complete(client, upload).wait(timeout_seconds=300)


def test_forty_drops_end_in_few_files_with_every_row_once(stack: Stack, client: aimass.Client) -> None:
    dataset = client.datasets.create(f"grown-{uuid4().hex[:12]}", policy=DatasetPolicy(drop_window_seconds=0))
    s3, bucket, num_drops = stack.aws("s3"), stack.outputs["LandingBucketName"], 40
    for number in range(num_drops):
        body = f"id,word\n{2 * number},a\n{2 * number + 1},b\n"
        s3.put_object(Bucket=bucket, Key=f"drop/default/{dataset.name}/{number}.csv", Body=body.encode())

    def read_ids(number: int) -> list[int]:
        version = client.datasets.get_version(dataset.id, number)
        assert version.num_files is not None
        assert version.num_files <= MAX_SMALL_FILES
        return [row["id"] for row in version.rows(limit=100)]

    def all_are_in() -> bool:
        number = client.datasets.get(dataset.id).latest_version
        return number is not None and len(read_ids(number)) == 2 * num_drops

    # Drops that one delivery brings together become one version.
    wait_until(all_are_in, seconds=300)
    latest = client.datasets.get(dataset.id).latest_version
    assert latest is not None
    ids = read_ids(latest)
    assert sorted(ids) == list(range(2 * num_drops))
    for number in range(1, latest):
        before = read_ids(number)
        assert ids[: len(before)] == before


# --- what the user of the command line reads ---


def table(rows: list[str], header: str = "id,kind,x") -> str:
    return "\n".join([header, *rows]) + "\n"


GOOD = [f"{number},{'ab'[number % 2]},{number / 7:.3f}" for number in range(100)]


@pytest.fixture
def upload(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """`aimass datasets upload` of a file of these bytes; the exit code and all that was printed."""
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)

    def run(body: str | bytes, *options: str, file_name: str = "data.csv") -> tuple[int, str]:
        path = tmp_path / file_name
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        arguments = ["aimass", "datasets", "upload", f"cli-{uuid4().hex[:12]}", str(path), *options]
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return run


Run = Callable[..., tuple[int, str]]


@pytest.mark.parametrize(
    ("body", "options", "exit_code", "words"),
    [
        (
            table([*GOOD, '7,"a,0.5', '8,"b" c,0.3']),
            [],
            0,
            ["2 rows did not parse", "data.csv, line 102: The quotes of the row are broken", "Next: aimass autotrain"],
        ),
        (table([f'{number},"a,1' for number in range(50)]), [], 3, ["50 of 50 rows", "line 2", "quotes of the row"]),
        (
            table([*GOOD, "x,a,1"]),
            [],
            0,
            ["1 row did not parse", "line 102, column id: 'x' is not of the type integer"],
        ),
        (table([f"{n},a,{n if n % 2 else 'red'}" for n in range(60)]), [], 0, ["'x' mixes numbers (50%"]),
        ("\ufeff" + table(GOOD), ["--target", "kind"], 0, ["READY", "Next: aimass autotrain"]),
        (table(GOOD, "id,id,x"), [], 0, ["Column 2 is called 'id_2'", "occurs before it"]),
        (table(GOOD).partition("\n")[2], [], 0, ["No header line was found", "--header"]),
        (table([]), [], 3, ["header line but no rows"]),
        (b"", [], 3, ["data.csv has 0 bytes"]),
        (table(GOOD), ["--target", "nope"], 3, ["no column 'nope'", "'id', 'kind', 'x'"]),
        (table([f"{n},same,{n}" for n in range(40)]), ["--target", "kind"], 0, ["same value in every row"]),
        (table([f"{n},n{n},{n}" for n in range(40)]), ["--target", "kind"], 0, ["different in every row"]),
        (table([*GOOD, "200,c,1"]), ["--target", "kind"], 0, ["'c' in one row only"]),
        (b"<!DOCTYPE html><html><body>log in</body></html>", [], 3, ["HTML", "log-in or error page"]),
    ],
    ids=[
        "broken quoting",
        "all quotes broken",
        "one cell of another type",
        "mixed types",
        "byte order mark",
        "duplicate header",
        "no header",
        "no rows",
        "empty",
        "target that is not there",
        "constant target",
        "unique target",
        "class of one",
        "a15 html as csv",
    ],
)
def test_a13_the_user_of_a_broken_csv_reads_what_and_where(
    upload: Run, body: str | bytes, options: list[str], exit_code: int, words: list[str]
) -> None:
    code, text = upload(body, *options)
    assert (code, [word for word in words if word not in text]) == (exit_code, []), text
    assert "Traceback" not in text


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (zipped(**{"../../etc/x.csv": CSV}), "'../../etc/x.csv' leads out of its folder"),
        (zipped(**{"a.csv": b"0,1\n" * 20_000_000}), "more than 300 times"),
        (gzip.compress(CSV) + b"garbage", "other data after its end, from byte"),
    ],
    ids=["a10 zip slip", "a11 bomb", "a12 gzip with a tail"],
)
def test_archives_that_lie_are_refused_in_words(upload: Run, body: bytes, words: str) -> None:
    code, text = upload(body, file_name="data.zip")
    assert (code, words in text) == (3, True), text


def test_a9_a_file_name_cannot_write_on_the_terminal(upload: Run) -> None:
    _, text = upload(table([*GOOD, "1"]), file_name="\x1b[31m\u202egpj[bold].csv")
    assert "\\x1b[31m\\u202egpj[bold].csv, line 102" in text
    assert "\x1b" not in text


def test_a14_what_the_command_line_prints_as_csv_starts_no_formula(stack: Stack, upload: Run) -> None:
    code, text = upload(table(["=cmd|' /C calc'!A0,@SUM(1),-1", "+1+1,\t=1,2"], "name,text,x"), "-o", "csv")
    assert code == 0
    ref = text.splitlines()[1].partition(",")[0]
    shown = stack.cli("datasets", "rows", ref).splitlines()
    assert shown == ["name,text,x", "'=cmd|' /C calc'!A0,'@SUM(1),-1", "'+1+1,'=1,2"]


def test_images_are_answered_with_what_to_do_next(upload: Run) -> None:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("L", (8, 8), 7).save(stream, "PNG")
    png = stream.getvalue()
    members = {f"{kind}/{number}.png": png for kind in ("cat", "dog") for number in range(15)}
    code, text = upload(zipped(**members, **{"cat/broken.png": png[:30]}), file_name="pets.zip")
    assert code == 0
    assert "Next: aimass autotrain" in text
    assert "cat/broken.png" in text


def test_a_cloud_that_does_not_answer_is_said(upload: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMASS_BASE_URL", f"http://127.0.0.1:{free_port()}")
    code, text = upload(table(GOOD))
    assert (code, "aimass local up" in text, "Traceback" in text) == (7, True, False), text
