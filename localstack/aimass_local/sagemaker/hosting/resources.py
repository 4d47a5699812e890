"""Models, endpoint configurations and endpoints: what was asked for, where it is, and how SageMaker tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from aimass_local.documents import Document
from aimass_local.environment import ACCOUNT_ID, REGION

ARN_PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:"
_DEFAULT_WEIGHT = 1.0


class EndpointStatus(StrEnum):
    """EndpointStatus, as far as this machine has them."""

    CREATING = "Creating"
    UPDATING = "Updating"
    IN_SERVICE = "InService"
    DELETING = "Deleting"
    FAILED = "Failed"

    @property
    def is_settled(self) -> bool:
        return self in (EndpointStatus.IN_SERVICE, EndpointStatus.FAILED)


@dataclass(slots=True, kw_only=True)
class Definition:
    """A model or an endpoint configuration: `request` is what its Create operation was given."""

    name: str
    arn: str
    request: Document
    created_at: float
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def changed_at(self) -> float:
        """It never changes."""
        return self.created_at

    @classmethod
    def from_document(cls, document: Document) -> Definition:
        return cls(**document)

    def to_document(self) -> Document:
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class Variant:
    """One variant of what an endpoint runs: its definition, that of its model, and what may change while it runs."""

    definition: Document
    model: Document
    weight: float
    num_instances: int

    @property
    def name(self) -> str:
        return str(self.definition["VariantName"])

    @property
    def container(self) -> Document:
        """ContainerDefinition: a model's only one."""
        containers = self.model.get("Containers") or [self.model["PrimaryContainer"]]
        found: Document = containers[0]
        return found

    @property
    def instance_type(self) -> str:
        """Of a serverless variant, one that has the processors which its memory brings."""
        return str(self.definition.get("InstanceType", "ml.m5.large"))

    @classmethod
    def of(cls, definition: Document, models: Mapping[str, Definition]) -> Variant:
        return cls(
            definition=definition,
            model=models[definition["ModelName"]].request,
            weight=definition.get("InitialVariantWeight", _DEFAULT_WEIGHT),
            num_instances=definition.get("InitialInstanceCount", 1),
        )


@dataclass(slots=True, kw_only=True)
class Deployment:
    """What an endpoint runs, or is about to: with copies of all definitions, which may be deleted meanwhile."""

    config_name: str
    config: Document
    variants: list[Variant]

    @classmethod
    def from_document(cls, document: Document) -> Deployment:
        return cls(**{**document, "variants": [Variant(**variant) for variant in document["variants"]]})


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """`current` answers; `pending` takes its place once all its containers are healthy."""

    name: str
    arn: str
    created_at: float
    changed_at: float
    status: EndpointStatus
    pending: Deployment | None = None
    current: Deployment | None = None
    failure_reason: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Document) -> Endpoint:
        deployments = {
            name: Deployment.from_document(document[name]) if document[name] else None
            for name in ("pending", "current")
        }
        return cls(**{**document, **deployments, "status": EndpointStatus(document["status"])})

    def to_document(self) -> Document:
        return asdict(self)

    @property
    def shown(self) -> Deployment:
        """The deployment that Describe tells of."""
        deployment = self.current or self.pending
        assert deployment is not None  # noqa: S101 - an endpoint has one from its creation on
        return deployment


def arn_of(kind: str, name: str) -> str:
    """`kind` as in ARNs: model, endpoint-config, endpoint. NOTE: SageMaker writes names in lower case there."""
    return f"{ARN_PREFIX}{kind}/{name.lower()}"


def describe_definition(definition: Definition, kind: str) -> Document:
    """The answer of DescribeModel (`Model`) and DescribeEndpointConfig (`EndpointConfig`)."""
    shown = {name: value for name, value in definition.request.items() if name != "Tags"}
    return {**shown, f"{kind}Arn": definition.arn, "CreationTime": definition.created_at}


def describe_endpoint(endpoint: Endpoint) -> Document:
    """The answer of DescribeEndpoint."""
    shown = endpoint.shown
    description: Document = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": shown.config_name,
        "EndpointStatus": endpoint.status.value,
        "CreationTime": endpoint.created_at,
        "LastModifiedTime": endpoint.changed_at,
    }
    if endpoint.current is not None:
        description["ProductionVariants"] = [_describe_variant(endpoint, variant) for variant in shown.variants]
    if "AsyncInferenceConfig" in shown.config:
        description["AsyncInferenceConfig"] = shown.config["AsyncInferenceConfig"]
    if endpoint.failure_reason:
        description["FailureReason"] = endpoint.failure_reason
    return description


def summarize(kind: str, resource: Definition | Endpoint) -> Document:
    """One line of a list."""
    summary: dict[str, Any] = {
        f"{kind}Name": resource.name,
        f"{kind}Arn": resource.arn,
        "CreationTime": resource.created_at,
    }
    if isinstance(resource, Endpoint):
        summary |= {"LastModifiedTime": resource.changed_at, "EndpointStatus": resource.status.value}
    return summary


def _describe_variant(endpoint: Endpoint, variant: Variant) -> Document:
    image = variant.container["Image"]
    described: Document = {
        "VariantName": variant.name,
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": endpoint.changed_at},
        ],
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
        "CurrentInstanceCount": variant.num_instances,
        "DesiredInstanceCount": variant.num_instances,
    }
    if "ServerlessConfig" in variant.definition:
        described["CurrentServerlessConfig"] = variant.definition["ServerlessConfig"]
    return described
