"""The EventBridge events that SageMaker sends of endpoints: the description, with times in milliseconds."""

from __future__ import annotations

import re

from aimass_local.documents import Document
from aimass_local.sagemaker.events import build_state_change
from aimass_local.sagemaker.hosting.resources import Endpoint, describe_endpoint


def build_event(endpoint: Endpoint) -> Document:
    """The event as a rule's target receives it. NOTE: its EndpointStatus is written in capitals, as IN_SERVICE."""
    status = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", endpoint.status).upper()
    return build_state_change(
        "SageMaker Endpoint State Change",
        arn=endpoint.arn,
        at=endpoint.changed_at,
        detail={**describe_endpoint(endpoint), "EndpointStatus": status, "Tags": dict(endpoint.tags)},
    )
