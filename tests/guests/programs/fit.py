"""A guest's training script: reads its channel and hyperparameters as AWS's toolkits give them, and leaves a model."""

import argparse
import json
import os
import pathlib

parser = argparse.ArgumentParser()
parser.add_argument("--slope", type=float, default=float(os.environ.get("SM_HP_SLOPE", "nan")))
parser.add_argument("--fail", default=os.environ.get("SM_HP_FAIL", ""))
options, _ = parser.parse_known_args()
if options.fail:
    raise RuntimeError(options.fail)
rows = [float(line) for path in sorted(pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).iterdir()) for line in path.open()]
model = {
    "slope": options.slope,
    "mean": sum(rows) / len(rows),
    "hosts": json.loads(os.environ["SM_HOSTS"]),
    "current_host": os.environ["SM_CURRENT_HOST"],
}
print("fitted", model)
(pathlib.Path(os.environ["SM_MODEL_DIR"]) / f"{os.environ['SM_CURRENT_HOST']}.json").write_text(json.dumps(model))
