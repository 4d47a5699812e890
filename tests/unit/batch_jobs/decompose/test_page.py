"""The page of a decomposition."""

from pathlib import Path

from aimass_core.domain.decomposition import DecomposedWhole, Decomposition
from aimass_core.domain.model_jobs import Cost, Score
from batch_jobs.decompose.page import PAGE, write_page


def test_what_was_left_out_for_one_reason_is_told_once(tmp_path: Path) -> None:
    wholes = [
        DecomposedWhole(
            name=name,
            score=Score(metric="accuracy", value=0.9, num_rows=100),
            cost=Cost(latency_p50_ms=0.1, latency_p95_ms=0.2, model_bytes=1_000, num_operations=operations),
        )
        for name, operations in (("single", 100), ("tree of 2", 50))
    ]
    unfit = {"tree of 4": "no time was left", "components": "this is no forecast", "mixture of 2": "no time was left"}
    write_page(tmp_path, Decomposition(wholes=wholes, experts=[], unfit=unfit), title="letters")
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert page.count("no time was left") == 1
    assert "tree of 4, mixture of 2: no time was left" in page
    assert "components: this is no forecast" in page
