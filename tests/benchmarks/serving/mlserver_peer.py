"""MLServer with a runtime of one's own, in its process (`parallel_workers` 0): its fastest for small models."""

import asyncio
import sys

import numpy as np
from answering import load
from mlserver import MLModel, MLServer
from mlserver.settings import ModelParameters, ModelSettings, Settings
from mlserver.types import InferenceResponse, ResponseOutput

_DTYPES = {"FP32": np.float32, "UINT8": np.uint8, "INT64": np.int64, "BYTES": object}


class Model(MLModel):
    async def load(self) -> bool:
        self.session = load()
        return True

    async def predict(self, payload):
        feed = {t.name: np.array(list(t.data), _DTYPES[t.datatype]).reshape(t.shape) for t in payload.inputs}
        names = [output.name for output in self.session.get_outputs()]
        outputs = [
            ResponseOutput(
                name=name,
                shape=list(value.shape),
                datatype="BYTES" if value.dtype == object else "FP32",
                data=value.ravel().tolist(),
            )
            for name, value in zip(names, self.session.run(names, feed), strict=True)
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)


async def main(port: int) -> None:
    settings = Settings(http_port=port, grpc_port=port + 1, metrics_port=port + 2, parallel_workers=0, debug=False)
    server = MLServer(settings)
    model = ModelSettings(name="model", implementation=Model, parameters=ModelParameters(version="1"))
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
