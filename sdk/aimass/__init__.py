"""AI Mass in Python: data in, a small, fast, served model out.

>>> import aimass
>>> client = aimass.Client()
>>> dataset = client.datasets.upload("adult.csv", target="income")
>>> job = client.jobs.train(dataset, algorithm="xgboost").wait()
>>> endpoint = job.model_version.deploy()
>>> endpoint.predict([{"age": 39, "education": "Bachelors"}])
"""

import importlib
from typing import TYPE_CHECKING

from aimass.version import __version__

if TYPE_CHECKING:
    from aimass.client import Client
    from aimass.errors import (
        AimassError,
        ConfigurationError,
        ConnectionFailedError,
        JobFailedError,
        RejectedDataError,
        WaitTimeoutError,
    )

__all__ = [
    "AimassError",
    "Client",
    "ConfigurationError",
    "ConnectionFailedError",
    "JobFailedError",
    "RejectedDataError",
    "WaitTimeoutError",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Imported with its first use: a collector's process imports `aimass.collect` alone, and starts the sooner."""
    if name not in __all__:
        raise AttributeError(f"module 'aimass' has no attribute {name!r}")
    return getattr(importlib.import_module("aimass.client" if name == "Client" else "aimass.errors"), name)
