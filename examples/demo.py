"""The main job, end to end, through the same commands that a user types: `make demo`.

Real measurements of breast tumours (569 rows) and of handwritten digits (1,797 images) ship with scikit-learn, so
nothing is downloaded. `--short` leaves the images out.
"""

import argparse
import csv
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

BIN = Path(sys.executable).parent
WORK = Path(os.environ.get("AIMASS_DATA_DIR", ".aimass")) / "demo"


def main() -> None:
    """Runs every step; stops at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="Tables only.")
    parser.add_argument("--port", default="4566")
    arguments = parser.parse_args()
    started = time.monotonic()

    title("1. The local cloud: API Gateway, Lambda, DynamoDB, S3, SQS, EventBridge and Batch in one process")
    run("aimass", "local", "up", "--port", arguments.port)
    WORK.mkdir(parents=True, exist_ok=True)

    title("2. A table: upload, train, deploy, predict")
    train, test, more = write_tumours()
    run("aimass", "datasets", "upload", "tumours", str(train), "--target", "diagnosis")
    run("aimass", "datasets", "upload", "tumours-test", str(test), "--target", "diagnosis")
    run("aimass", "train", "tumours", "--algorithm", "xgboost", "--test", "tumours-test")
    run("aimass", "models", "list")
    run("aimass", "deploy", "tumours")
    run("aimass", "predict", "tumours", str(more))

    if not arguments.short:
        title("3. Images: the same commands")
        run("aimass", "datasets", "upload", "digits", str(write_digits()), "--target", "label")
        run("aimass", "train", "digits", "--algorithm", "cnn")
        run("aimass", "deploy", "digits")

    title("It keeps running")
    run("aimass", "drop", "tumours")
    run("aimass", "local", "status")
    words(f"Done in {time.monotonic() - started:.0f} s. Try next:")
    for line in (
        "aimass train tumours --algorithm linear     # another version of the same model",
        "aimass models report tumours                # the HTML report",
        "aimass endpoints get tumours                # its inputs",
        "aimass --help",
        "make down                                   # stop it; nothing is lost",
    ):
        words(f"  {line}")
    words(f"(the commands are in {BIN}; activate with: source {BIN}/activate)")


def write_tumours() -> tuple[Path, Path, Path]:
    """Train and test CSV files, and a few rows without their diagnosis."""
    data = datasets.load_breast_cancer()
    header = [name.replace(" ", "_") for name in data.feature_names] + ["diagnosis"]
    rows = [[*map(float, x), data.target_names[y]] for x, y in zip(data.data, data.target, strict=True)]
    train, test = train_test_split(rows, test_size=0.25, random_state=0, stratify=data.target)
    paths = WORK / "tumours.csv", WORK / "tumours-test.csv", WORK / "tumours-new.csv"
    write_csv(paths[0], header, train)
    write_csv(paths[1], header, test)
    write_csv(paths[2], header[:-1], [row[:-1] for row in test[:5]])
    return paths


def write_digits() -> Path:
    """A .npz of 8 x 8 images."""
    digits = datasets.load_digits()
    path = WORK / "digits.npz"
    np.savez_compressed(path, images=(digits.images * 15.9375).astype(np.uint8), labels=digits.target)
    return path


def write_csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    """A CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def run(*command: str) -> None:
    """Shows a command and runs it."""
    words(f"\n\033[1m$ {shlex.join(command)}\033[0m" if sys.stdout.isatty() else f"\n$ {shlex.join(command)}")
    result = subprocess.run([str(BIN / command[0]), *command[1:]], check=False)
    if result.returncode:
        words(f"\nThat failed with exit code {result.returncode}. The local cloud's log: aimass local logs")
        sys.exit(result.returncode)


def title(text: str) -> None:
    """A headline."""
    words(f"\n== {text}")


def words(text: str) -> None:
    """A line for the reader."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
