"""Endpoints of the guest image that tests serve models with."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.integration.local.conftest import wait_until
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud, Document

GUEST_IMAGE = "guests/echo:1"
ROLE = "arn:aws:iam::000000000000:role/serving"
VARIANT = "AllTraffic"


def upload_model(s3: Any, files: Mapping[str, str]) -> str:
    """Address of a model.tar.gz of these files."""
    buffer, key = io.BytesIO(), f"models/{uuid4().hex}/model.tar.gz"
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    s3.put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue())
    return f"s3://{BUCKET}/{key}"


def create_model(cloud: Cloud, files: Mapping[str, str], **container: Any) -> str:
    name = f"model-{uuid4().hex[:12]}"
    definition = {"Image": GUEST_IMAGE, "ModelDataUrl": upload_model(cloud.s3, files), **container}
    cloud.sagemaker.create_model(ModelName=name, PrimaryContainer=definition, ExecutionRoleArn=ROLE)
    return name


def variant(model: str, **changes: Any) -> Document:
    return {
        "VariantName": VARIANT,
        "ModelName": model,
        "InstanceType": "ml.c5.large",
        "InitialInstanceCount": 1,
        **changes,
    }


def create_config(cloud: Cloud, *variants: Document) -> str:
    name = f"config-{uuid4().hex[:12]}"
    cloud.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants))
    return name


def create_endpoint(cloud: Cloud, config: str, *, status: str = "InService") -> str:
    name = f"endpoint-{uuid4().hex[:12]}"
    cloud.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    wait_for_endpoint(cloud, name, status)
    return name


def wait_for_endpoint(cloud: Cloud, name: str, status: str) -> Document:
    def find() -> Document | None:
        described: Document = cloud.sagemaker.describe_endpoint(EndpointName=name)
        return described if described["EndpointStatus"] == status else None

    found = wait_until(find)
    assert found is not None
    return found


def ask(cloud: Cloud, endpoint: str, body: str = "hello", **options: Any) -> Document:
    """The container's answer."""
    answer = cloud.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=body.encode(), ContentType="text/plain", **options
    )
    content: Document = json.loads(answer["Body"].read())
    return {**content, "variant": answer["InvokedProductionVariant"], "attributes": answer.get("CustomAttributes")}
