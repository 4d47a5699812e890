"""BentoML: a service of one worker."""

import os
import sys
from typing import Any

import bentoml
from answering import answer, load


@bentoml.service(workers=1)
class Service:
    def __init__(self) -> None:
        self.session = load()

    @bentoml.api(route="/infer")
    def infer(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return answer(self.session, {"inputs": inputs})


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    command = ["bentoml", "serve", "bentoml_peer:Service", "--port", sys.argv[1], "--working-dir", here]
    os.execv(os.path.join(os.path.dirname(sys.executable), "bentoml"), command)
