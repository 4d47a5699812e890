"""What can be trained."""

from urllib.parse import quote

from aimass.binding import Api, Pages
from aimass_core.domain.algorithms.contract import AlgorithmInfo


class AlgorithmsApi(Api):
    """`client.algorithms`."""

    def list(self) -> Pages[AlgorithmInfo]:
        """Every algorithm with the JSON Schema of its hyperparameters."""
        return self._list(AlgorithmInfo, "/v1/algorithms")

    def get(self, name: str) -> AlgorithmInfo:
        """One algorithm. Raises NotFoundError."""
        return self._get(AlgorithmInfo, f"/v1/algorithms/{quote(name, safe='')}")
