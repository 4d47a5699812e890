"""FLAML on a table; a script of its own environment: `python flaml_peer.py <task.json>`, JSON to stdout."""

from __future__ import annotations

import json
import pickle
import sys
import time
from pathlib import Path

import flaml
import pandas as pd
from latency import median_ms


def main(path: Path) -> None:
    """Fits, predicts, and measures what is deployed: the pickled AutoML object, as FLAML's documentation has it."""
    task = json.loads(path.read_text())
    train, test = (pd.read_csv(path.parent / f"{part}.csv") for part in ("train", "test"))
    started = time.perf_counter()
    automl = flaml.AutoML()
    automl.fit(
        X_train=train.drop(columns=task["target"]),
        y_train=train[task["target"]],
        task="regression" if task["kind"] == "regression" else "classification",
        metric=task["metric"],
        time_budget=task["seconds"],
        seed=0,
        verbose=0,
    )
    seconds = time.perf_counter() - started
    deployed = pickle.dumps(automl, protocol=pickle.HIGHEST_PROTOCOL)

    def predict(rows: pd.DataFrame) -> list[object]:
        if task["metric"] != "roc_auc":
            return list(automl.predict(rows).tolist())
        at = [str(label) for label in automl.classes_].index(task["positive"])
        return list(automl.predict_proba(rows)[:, at].tolist())

    row = test.iloc[:1]
    answer = {
        "library": f"FLAML {flaml.__version__}",
        "detail": str(automl.best_estimator),
        "predictions": predict(test),
        "num_bytes": len(deployed),
        "latency_ms": median_ms(lambda: predict(row), num_calls=task["num_calls"]),
        "seconds": seconds,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
