"""A workspace that moves: what it served is served elsewhere, byte for byte, and what is left behind can be deleted."""

import uuid
from pathlib import Path

import httpx2
import numpy as np
import xgboost

import aimass
from aimass_core.domain.transfers import TransferAction
from tests.stack import Stack, wait_until

NAMES = ["size", "rooms", "age"]


def _open(stack: Stack, client: aimass.Client) -> tuple[aimass.Client, str]:
    made = client.http.request("POST", "/v1/workspaces", body={"name": f"move-{uuid.uuid4().hex[:8]}"})
    return aimass.Client(base_url=stack.url, api_key=made["secret"]), made["secret"]


def _answer(stack: Stack, key: str, rows: list[dict[str, float]]) -> bytes:
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx2.post(f"{stack.url}/v1/endpoints/price/predict", json={"rows": rows}, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_every_model_of_a_workspace_answers_the_same_elsewhere_and_h16_the_former_is_deleted(
    stack: Stack, client: aimass.Client, tmp_path: Path
) -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    matrix = xgboost.DMatrix(rows, rows[:, 0] * 2 + rows[:, 1], feature_names=NAMES)
    xgboost.train({"objective": "reg:squarederror"}, matrix, 5).save_model(tmp_path / "price.ubj")
    asked = [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]
    (here, here_key), (there, there_key) = _open(stack, client), _open(stack, client)
    with here, there:
        here.models.import_model(tmp_path / "price.ubj").wait(timeout_seconds=400)
        here.models.get_version("price", 1).deploy()
        job = here.workspaces.export(with_data=True).wait(timeout_seconds=400)
        assert here.workspaces.save_export(job, tmp_path / "team.zip").counts["model"] == 1
        coming = there.workspaces.import_archive(tmp_path / "team.zip").wait(timeout_seconds=400)
        report = there.workspaces.get_import(coming).report
        assert report is not None
        assert {item.action for item in report.items} == {TransferAction.CREATE}
        wait_until(lambda: there.endpoints.get("price").status == "READY")
        assert _answer(stack, there_key, asked) == _answer(stack, here_key, asked)

        here.workspaces.delete(confirm=here.workspaces.get().name, grace_hours=0)

        def is_empty() -> bool:
            stack.aws("lambda").invoke(FunctionName="aimass-reconciler")
            return here.workspaces.get_deletion().empty_since is not None

        wait_until(is_empty)
        assert not any(here.workspaces.get_deletion().remaining.values())
        assert _answer(stack, there_key, asked), "what moved stays"
