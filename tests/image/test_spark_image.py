"""The environment of Spark's image: what recipes import is there, and of this repository no more than that."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

IMAGE = Path(os.environ.get("AIMASS_SPARK_IMAGE", ""))
if not IMAGE.name:
    pytest.skip("AIMASS_SPARK_IMAGE names no environment: make test-image installs one", allow_module_level=True)


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(IMAGE / "bin/python"), "-c", program],
        cwd=IMAGE,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_recipes_and_the_dialect_of_spark_are_there() -> None:
    modules = ("aimass_core.services.recipes.running", "aimass_core.services.recipes.near", "batch_jobs.spark.contract")
    done = run(f"import pandas, pyarrow, sqlglot.dialects.spark, {', '.join(modules)}")
    assert (done.returncode, done.stderr) == (0, "")


def test_neither_aws_nor_the_other_jobs_are_there() -> None:
    done = run("from importlib.util import find_spec as f; print(f('boto3'), f('duckdb'), f('batch_jobs.prepare'))")
    assert done.stdout == "None None None\n", done.stderr


@pytest.mark.skipif(find_spec("pyspark") is None, reason="needs PySpark, which AWS's image has: make test-spark")
def test_the_program_finds_what_it_imports() -> None:
    spark = find_spec("pyspark")
    assert spark is not None
    assert spark.origin is not None
    done = run("import batch_jobs.spark.program", PYTHONPATH=str(Path(spark.origin).parents[1]))
    assert done.returncode == 0, done.stderr
