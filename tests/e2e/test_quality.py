"""Expectations, quarantine and a trigger on the deployed stack."""

from pathlib import Path

import pytest

import aimass
from aimass_core.domain.triggers import RunStatus, TriggerRun
from tests.stack import wait_until, write_loans


def test_bad_versions_are_kept_out_bad_rows_mended_and_good_versions_trained_and_served(
    client: aimass.Client, tmp_path: Path
) -> None:
    path = tmp_path / "loans.csv"
    write_loans(path, num_rows=600, seed=0)
    client.datasets.upload(path, name="credit", target="repaid")
    client.quality.set("credit", client.quality.suggest("credit"))

    header, *lines = path.read_text().splitlines()
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join([header, *(line.rsplit(",", 1)[0] + "," for line in lines)]) + "\n")
    with pytest.raises(aimass.RejectedDataError, match="missing repaid"):
        client.datasets.upload(broken, name="credit")
    assert client.datasets.get("credit").latest_version == 1
    page = client.quality.save_page("credit@2", tmp_path / "page.html").read_text()
    assert "missing repaid" in page
    assert "<script" not in page

    more = tmp_path / "more.csv"
    more.write_text("\n".join([header, *lines[:298], "many,30,north,2020-01-01,yes", "5,x,south,2020-01-01,no"]) + "\n")
    assert client.datasets.upload(more, name="credit", append=True).num_quarantined == 2
    (kept,) = client.quarantine.list("credit")
    fixed = tmp_path / "fixed.csv"
    assert client.quarantine.save(f"credit@{kept.number}", fixed) == 2
    fixed.write_text(fixed.read_text().replace("many", "41000").replace(",x,", ",30,"))
    (mended,) = client.quarantine.replay_file(f"credit@{kept.number}", fixed)
    assert (mended.num_rows, mended.num_quarantined) == (900, 0)
    assert [row.replayed_as for row in client.quarantine.rows(f"credit@{kept.number}")] == [mended.number] * 2

    job = {"spec": {"kind": "train", "dataset": "credit", "algorithm": "linear"}}
    client.triggers.create("credit", dataset="credit", job=job, deploy={"gate": {"worst": 0.8}})
    write_loans(path, num_rows=700, seed=1)
    newest = client.datasets.upload(path, name="credit")
    assert newest.quality in ("PASSED", "WARNED")

    def find_ended() -> TriggerRun | None:
        run = client.triggers.runs("credit").first()
        return None if run is None or run.status is RunStatus.RUNNING else run

    run = wait_until(find_ended, seconds=180)
    assert run is not None
    assert (run.status, run.dataset_version) == ("PROMOTED", newest.number), run.reason
    wait_until(lambda: client.endpoints.get("credit").status == "READY")
    assert client.endpoints.predict("credit", [{"income": 90_000.0, "age": 40}]).predictions[0].label == "yes"
    assert run.model_version is not None
    assert client.jobs.get(run.job_id).channels["train"].number == newest.number

    checked = client.quality.check("credit@1", timeout_seconds=60)
    assert (checked.number, checked.outcome) == (1, "PASSED")
