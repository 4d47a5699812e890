"""What can be trained."""

from aimass.binding import Api, Pages
from aimass_core.domain.algorithms import AlgorithmInfo


class AlgorithmsApi(Api):
    """`client.algorithms`."""

    def list(self) -> Pages[AlgorithmInfo]:
        """Every algorithm with the JSON Schema of its hyperparameters."""
        return self._list(AlgorithmInfo, "/v1/algorithms")
