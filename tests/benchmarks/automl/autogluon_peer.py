"""AutoGluon on a table; a script of its own environment: `python autogluon_peer.py <task.json>`, JSON to stdout."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import autogluon.tabular
import pandas as pd
from autogluon.tabular import TabularPredictor
from latency import median_ms

METRICS = {"rmse": "root_mean_squared_error"}


def main(path: Path) -> None:
    """Fits, predicts, and measures what is deployed: its own clone for deployment, held in memory for latency."""
    task = json.loads(path.read_text())
    train, test = (pd.read_csv(path.parent / f"{part}.csv") for part in ("train", "test"))
    metric = METRICS.get(task["metric"], task["metric"])
    started = time.perf_counter()
    predictor = TabularPredictor(
        label=task["target"],
        problem_type=task["kind"],
        eval_metric=metric,
        path=str(path.parent / task["preset"]),
        verbosity=0,
    )
    predictor.fit(train, time_limit=task["seconds"], presets=task["preset"])
    seconds = time.perf_counter() - started
    clone = predictor.clone_for_deployment(path=str(path.parent / f"{task['preset']}-deployed"), return_clone=True)
    files = [file for file in Path(clone.path).rglob("*") if file.is_file()]
    clone.persist()

    def predict(rows: pd.DataFrame) -> list[object]:
        if task["metric"] != "roc_auc":
            return list(clone.predict(rows).tolist())
        found = clone.predict_proba(rows)
        found.columns = found.columns.astype(str)
        return list(found[task["positive"]].tolist())

    row = test.iloc[:1]
    answer = {
        "library": f"AutoGluon {autogluon.tabular.__version__}, {task['preset']}",
        "detail": str(clone.model_best),
        "predictions": predict(test),
        "num_bytes": sum(file.stat().st_size for file in files),
        "latency_ms": median_ms(lambda: predict(row), num_calls=task["num_calls"]),
        "seconds": seconds,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
