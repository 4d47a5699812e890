"""AI Mass in Python: data in, a small, fast, served model out.

>>> import aimass
>>> client = aimass.Client()
>>> dataset = client.datasets.upload("adult.csv", target="income")
>>> job = client.jobs.train(dataset, algorithm="xgboost").wait()
>>> endpoint = job.model_version.deploy()
>>> endpoint.predict([{"age": 39, "education": "Bachelors"}])
"""

from aimass.client import Client
from aimass.errors import (
    AimassError,
    ConfigurationError,
    ConnectionFailedError,
    JobFailedError,
    RejectedDataError,
    WaitTimeoutError,
)
from aimass.version import __version__

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
