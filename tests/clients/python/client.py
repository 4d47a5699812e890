"""Run by the Python of the generated client's environment: `generated_client.py URL KEY MODEL`. Prints what it got."""

import json
import sys

from ai_mass_client import AuthenticatedClient
from ai_mass_client.api.datasets import create_dataset, get_dataset, list_datasets
from ai_mass_client.api.endpoints import get_endpoint
from ai_mass_client.api.inference import infer
from ai_mass_client.models import DatasetCreate, InferenceRequest

url, key, model = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=key, timeout=60) as client:
    made = create_dataset.sync_detailed(client=client, body=DatasetCreate(name="generated"))
    listed = list_datasets.sync(client=client)
    nobody = get_dataset.sync(client=client, dataset="nobody")
    endpoint = get_endpoint.sync(client=client, endpoint=model)
    columns = {"FP32": [[1.0]], "BYTES": [["x"]], "FP64": [[0.0]]}
    inputs = [
        {"name": each.name, "datatype": each.datatype.value, "shape": [1, 1], "data": columns[each.datatype.value][0]}
        for each in endpoint.signature.inputs
    ]
    answered = infer.sync(client=client, model=model, body=InferenceRequest.from_dict({"inputs": inputs}))
    told = {
        "created": [made.status_code.value, made.parsed.name],
        "listed": [each.name for each in listed.items],
        "problem": [nobody.status, nobody.code],
        "outputs": {each.name: each.data for each in answered.outputs},
    }
print(json.dumps(told))
