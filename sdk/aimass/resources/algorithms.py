"""What can be trained."""

from aimass.binding import Api, Pages
from aimass_core.domain.algorithms.contract import AlgorithmInfo
from aimass_core.errors import NotFoundError


class AlgorithmsApi(Api):
    """`client.algorithms`."""

    def list(self) -> Pages[AlgorithmInfo]:
        """Every algorithm with the JSON Schema of its hyperparameters."""
        return self._list(AlgorithmInfo, "/v1/algorithms")

    def get(self, name: str) -> AlgorithmInfo:
        """One algorithm. Raises NotFoundError."""
        infos = {info.name: info for info in self.list()}
        if name not in infos:
            raise NotFoundError(f"There is no algorithm {name!r}. There are: {', '.join(infos)}.")
        return infos[name]
