"""As a user of another tool makes models: `foreign_models.py KIND FOLDER` saves one, and its answers to `rows.csv`."""

import sys
from pathlib import Path

import numpy as np

kind, folder = sys.argv[1], Path(sys.argv[2])
rows = np.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1, dtype=np.float32)

if kind == "keras":
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
    model.save(folder / "keras-price.keras")
    answers = model.predict(rows, verbose=0)[:, 0]
elif kind == "torchscript":
    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).eval()
    traced = torch.jit.trace(network, torch.from_numpy(rows))
    torch.jit.save(traced, folder / "torch-price.pt")
    answers = network(torch.from_numpy(rows)).detach().numpy()[:, 0]
else:
    import xgboost

    matrix = xgboost.DMatrix(rows, rows[:, 0] - rows[:, 2], feature_names=["size", "rooms", "age"])
    booster = xgboost.train({"objective": "reg:squarederror"}, matrix, 5)
    model_folder = folder / "mlflow-price"
    model_folder.mkdir()
    booster.save_model(model_folder / "model.ubj")
    columns = ", ".join(f'{{"type": "double", "name": "{name}"}}' for name in matrix.feature_names)
    (model_folder / "MLmodel").write_text(
        "flavors:\n  python_function: {loader_module: mlflow.xgboost}\n  xgboost: {data: model.ubj}\n"
        f"signature:\n  inputs: '[{columns}]'\n"
    )
    answers = booster.predict(matrix)
np.save(folder / "answers.npy", answers)
