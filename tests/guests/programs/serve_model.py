"""Serves a model with AWS's SageMaker SDK, and prints what came of it."""

import json
import sys

from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant

image, role, first_url, second_url = sys.argv[1:]


def configure(name: str, url: str) -> None:
    container = ContainerDefinition(image=image, model_data_url=url)
    Model.create(model_name=name, primary_container=container, execution_role_arn=role)
    variant = ProductionVariant(
        variant_name="AllTraffic", model_name=name, instance_type="ml.c5.large", initial_instance_count=1
    )
    EndpointConfig.create(endpoint_config_name=name, production_variants=[variant])


def ask(endpoint: Endpoint) -> object:
    answer = endpoint.invoke(body=b"hello", content_type="text/plain", custom_attributes="trace=7")
    return {"body": json.loads(answer.body.read()), "attributes": answer.custom_attributes}


configure("sdk-1", first_url)
configure("sdk-2", second_url)
endpoint = Endpoint.create(endpoint_name="sdk", endpoint_config_name="sdk-1")
endpoint.wait_for_status("InService", poll=1, timeout=120)
first = ask(endpoint)
# The SDK has no argument for it.
endpoint.endpoint_config_name = "sdk-2"
endpoint.update()
endpoint.wait_for_status("InService", poll=1, timeout=120)
second = ask(endpoint)
listed = [each.endpoint_name for each in Endpoint.get_all(name_contains="sdk")]
endpoint.delete()
endpoint.wait_for_delete(poll=1, timeout=60)
# The SDK leaves its progress bar without an end of line.
print("\n" + json.dumps({"first": first, "second": second, "listed": listed}))
