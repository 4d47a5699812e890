"""The management API beside a bare Lambda on the same emulator."""

from __future__ import annotations

import io
import zipfile

import httpx2

import aimass
from tests.benchmarks.report import percentiles, print_table, time_calls
from tests.stack import Stack

_BARE = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
"""


def test_api_latency(stack: Stack, client: aimass.Client) -> None:
    bare = deploy_function(stack, "bare", {"bare.py": _BARE.encode()})
    with httpx2.Client(headers={"authorization": f"Bearer {stack.api_key}"}) as http:

        def get(url: str) -> None:
            assert http.get(url).status_code == 200

        dataset = client.datasets.create("bench-api")
        rows = [
            ["bare Lambda, no authorizer", *percentiles(time_calls(lambda: get(bare), num=300))],
            ["GET /v1/me (authorizer, router)", *percentiles(time_calls(lambda: get(f"{stack.url}/v1/me"), num=300))],
            [
                "GET /v1/datasets/{id}",
                *percentiles(time_calls(lambda: get(f"{stack.url}/v1/datasets/{dataset.id}"), num=300)),
            ],
            ["GET /v1/datasets", *percentiles(time_calls(lambda: get(f"{stack.url}/v1/datasets"), num=300))],
        ]
        names = iter(range(10_000))
        create = time_calls(lambda: client.datasets.create(f"bench-api-{next(names)}"), num=100)
        rows.append(["POST /v1/datasets (idempotent, audited)", *percentiles(create)])
    print_table("API latency, one client, warm", ["", "p50", "p99"], rows)


def deploy_function(stack: Stack, name: str, files: dict[str, bytes]) -> str:
    """A Lambda (module `bare`) behind a REST API of its own, with nothing but the emulator in it; returns its URL."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for file, body in files.items():
            zipped.writestr(file, body)
    functions, gateway = stack.aws("lambda"), stack.aws("apigateway")
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=f"arn:aws:iam::000000000000:role/{name}",
        Handler="bare.handler",
        Timeout=30,
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    api = gateway.create_rest_api(name=name)["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="ANY", authorizationType="NONE")
    gateway.put_integration(
        restApiId=api,
        resourceId=root,
        httpMethod="ANY",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="live")
    return f"{stack.url}/_aws/execute-api/{api}/live/"
