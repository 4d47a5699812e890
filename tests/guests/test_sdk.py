"""AWS's SageMaker SDK v3 as a client: an unmodified ModelTrainer with two instances, and a served model."""

from __future__ import annotations

import json
from pathlib import Path

from tests.guests.conftest import IMAGE, ROLE, SERVING_IMAGE, run_guest
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud
from tests.integration.local_sagemaker.endpoints import upload_model


def test_a_model_trainer_trains_here(cloud: Cloud, tmp_path: Path) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="rows/0.csv", Body=b"1\n2\n")
    cloud.s3.put_object(Bucket=BUCKET, Key="rows/1.csv", Body=b"6\n")
    done = run_guest(cloud, "submit.py", IMAGE, ROLE, BUCKET, "", folder=tmp_path)
    assert done["status"] == "Completed", done
    files = cloud.unpack(done["model"])
    for host in ("algo-1", "algo-2"):
        model = json.loads(files[f"{host}.json"])
        assert model == {"slope": 0.5, "mean": 3.0, "hosts": ["algo-1", "algo-2"], "current_host": host}
    assert any("fitted" in line for line in cloud.log_of(done["name"], "algo-2"))


def test_it_hears_why_a_job_failed(cloud: Cloud, tmp_path: Path) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="rows/0.csv", Body=b"1\n")
    done = run_guest(cloud, "submit.py", IMAGE, ROLE, BUCKET, "no rows today", folder=tmp_path)
    assert done["status"] == "Failed"
    assert done["model"] is None
    assert "AlgorithmError" in done["reason"]


def test_it_serves_updates_and_deletes_an_endpoint(cloud: Cloud, tmp_path: Path) -> None:
    urls = [upload_model(cloud.s3, {"v": text}) for text in ("1", "2")]
    done = run_guest(cloud, "serve_model.py", SERVING_IMAGE, ROLE, *urls, folder=tmp_path)
    for number, answer in (("1", done["first"]), ("2", done["second"])):
        assert (answer["body"]["body"], answer["body"]["files"]) == ("hello", {"v": number})
        assert answer["attributes"] == "trace=7"
    assert done["listed"] == ["sdk"]
    assert cloud.sagemaker.list_endpoints()["Endpoints"] == []
