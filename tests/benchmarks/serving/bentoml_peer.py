"""BentoML: a service of one worker."""

import os
import sys
from pathlib import Path
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
    here = Path(__file__).resolve().parent
    bentoml_program = str(Path(sys.executable).parent / "bentoml")
    arguments = ["serve", "bentoml_peer:Service", "--port", sys.argv[1], "--working-dir", str(here)]
    os.execv(bentoml_program, [bentoml_program, *arguments])
