"""The operations of hosting, and the life of its endpoints."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import httpx2

from aimass_local.asgi import Receive, Scope, Send
from aimass_local.documents import Document
from aimass_local.sagemaker.errors import ValidationError
from aimass_local.sagemaker.hosting import events, queries, requests, runtime
from aimass_local.sagemaker.hosting.fleets import Fleet, FleetError
from aimass_local.sagemaker.hosting.resources import (
    Definition,
    Deployment,
    Endpoint,
    EndpointStatus,
    Variant,
    arn_of,
    describe_definition,
    describe_endpoint,
)
from aimass_local.sagemaker.jobs import to_tags
from aimass_local.sagemaker.ledger import Ledger
from aimass_local.sagemaker.machine import Machine

_MODEL, _CONFIG, _ENDPOINT = "model", "endpoint-config", "endpoint"
_SHUTDOWN_GRACE_SECONDS = 3.0

_logger = logging.getLogger(__name__)


class Hosting:
    """Models, configurations and endpoints, each by its name.

    Args:
        machine: what containers run on.
        ledger: keeps what is told; `load` reads it.
    """

    def __init__(self, machine: Machine, ledger: Ledger) -> None:
        self._machine, self._ledger = machine, ledger
        self._models: dict[str, Definition] = {}
        self._configs: dict[str, Definition] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._fleets: dict[str, Fleet] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64)
        # NOTE: a proxy of the developer's environment knows nothing of this machine's ports.
        self._http = httpx2.AsyncClient(trust_env=False, limits=limits)
        self.operations: Mapping[str, Callable[[Document], Document]] = {
            "CreateModel": self._create_model,
            "DescribeModel": lambda asked: describe_definition(
                _find(self._models, asked["ModelName"], "model"), "Model"
            ),
            "ListModels": lambda asked: queries.list_resources("Model", self._models.values(), asked),
            "DeleteModel": self._delete_model,
            "CreateEndpointConfig": self._create_config,
            "DescribeEndpointConfig": lambda asked: describe_definition(
                _find(self._configs, asked["EndpointConfigName"], "endpoint configuration"), "EndpointConfig"
            ),
            "ListEndpointConfigs": lambda asked: queries.list_resources(
                "EndpointConfig", self._configs.values(), asked
            ),
            "DeleteEndpointConfig": self._delete_config,
            "CreateEndpoint": self._create_endpoint,
            "DescribeEndpoint": lambda asked: describe_endpoint(self._find_endpoint(asked["EndpointName"])),
            "ListEndpoints": lambda asked: queries.list_resources("Endpoint", self._endpoints.values(), asked),
            "UpdateEndpoint": self._update_endpoint,
            "UpdateEndpointWeightsAndCapacities": self._rebalance_endpoint,
            "DeleteEndpoint": self._delete_endpoint,
        }

    def load(self) -> None:
        """Reads what was saved; endpoints that answered answer again as soon as their containers are up."""
        self._models = {name: Definition.from_document(document) for name, document in self._ledger.load(_MODEL)}
        self._configs = {name: Definition.from_document(document) for name, document in self._ledger.load(_CONFIG)}
        for name, document in self._ledger.load(_ENDPOINT):
            endpoint = self._endpoints[name] = Endpoint.from_document(document)
            if endpoint.current is not None and endpoint.status is not EndpointStatus.DELETING:
                self._start_fleet(endpoint, endpoint.current)
            if endpoint.status is EndpointStatus.DELETING:
                self._begin(endpoint, self._remove(endpoint))
            elif endpoint.pending is not None:
                self._begin(endpoint, self._deploy(endpoint, endpoint.pending))
            elif endpoint.status is EndpointStatus.UPDATING:
                self._begin(endpoint, self._rescale(endpoint))

    async def close(self) -> None:
        """Ends all containers; the next start begins them again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        fleets = self._fleets.values()
        await asyncio.gather(*(fleet.stop(grace_seconds=_SHUTDOWN_GRACE_SECONDS) for fleet in fleets))
        await self._http.aclose()

    async def invoke(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request to the runtime."""
        await runtime.answer(scope, receive, send, find_fleet=self._find_fleet)

    def find_tagged(self, arn: str) -> tuple[dict[str, str], Callable[[], None]] | None:
        """The tags of a resource of hosting and what saves them; None where the ARN is not one's."""
        kinds: dict[str, Mapping[str, Definition | Endpoint]] = {
            _MODEL: self._models,
            _CONFIG: self._configs,
            _ENDPOINT: self._endpoints,
        }
        for kind, resources in kinds.items():
            found = next((resource for resource in resources.values() if resource.arn == arn), None)
            if found is not None:
                return found.tags, partial(self._ledger.save, kind, found.name, found.to_document)
        return None

    # models and configurations

    def _create_model(self, asked: Document) -> Document:
        requests.check_model(asked)
        return {"ModelArn": self._define(self._models, _MODEL, asked["ModelName"], asked).arn}

    def _create_config(self, asked: Document) -> Document:
        requests.check_config(asked, self._models)
        return {"EndpointConfigArn": self._define(self._configs, _CONFIG, asked["EndpointConfigName"], asked).arn}

    def _define(self, known: dict[str, Definition], kind: str, name: str, request: Document) -> Definition:
        if name in known:
            raise ValidationError(f'Cannot create already existing {kind.replace("-", " ")} "{known[name].arn}".')
        tags = to_tags(request.get("Tags", []))
        known[name] = definition = Definition(
            name=name, arn=arn_of(kind, name), request=request, created_at=self._machine.clock(), tags=tags
        )
        self._ledger.save(kind, name, definition.to_document)
        return definition

    def _delete_model(self, asked: Document) -> Document:
        _find(self._models, asked["ModelName"], "model")
        del self._models[asked["ModelName"]]
        self._ledger.delete(_MODEL, asked["ModelName"])
        return {}

    def _delete_config(self, asked: Document) -> Document:
        _find(self._configs, asked["EndpointConfigName"], "endpoint configuration")
        del self._configs[asked["EndpointConfigName"]]
        self._ledger.delete(_CONFIG, asked["EndpointConfigName"])
        return {}

    # endpoints

    def _create_endpoint(self, asked: Document) -> Document:
        name = asked["EndpointName"]
        if name in self._endpoints:
            raise ValidationError(f'Cannot create already existing endpoint "{self._endpoints[name].arn}".')
        deployment, now = self._plan(asked["EndpointConfigName"]), self._machine.clock()
        endpoint = self._endpoints[name] = Endpoint(
            name=name,
            arn=arn_of(_ENDPOINT, name),
            created_at=now,
            changed_at=now,
            status=EndpointStatus.CREATING,
            pending=deployment,
            tags=to_tags(asked.get("Tags", [])),
        )
        self._note(endpoint)
        self._begin(endpoint, self._deploy(endpoint, deployment))
        return {"EndpointArn": endpoint.arn}

    def _update_endpoint(self, asked: Document) -> Document:
        endpoint = self._require_settled(asked["EndpointName"])
        deployment = self._plan(asked["EndpointConfigName"])
        if asked.get("RetainAllVariantProperties") and endpoint.current is not None:
            excluded = {entry["VariantPropertyType"] for entry in asked.get("ExcludeRetainedVariantProperties", [])}
            _retain(endpoint.current, deployment, excluded=excluded)
        endpoint.pending = deployment
        self._note(endpoint, EndpointStatus.UPDATING)
        self._begin(endpoint, self._deploy(endpoint, deployment))
        return {"EndpointArn": endpoint.arn}

    def _rebalance_endpoint(self, asked: Document) -> Document:
        endpoint = self._require_settled(asked["EndpointName"])
        if endpoint.current is None:
            raise ValidationError(f"The endpoint {endpoint.name} is {endpoint.status}: it has no variants yet")
        variants = {variant.name: variant for variant in endpoint.current.variants}
        wishes = asked["DesiredWeightsAndCapacities"]
        unknown = [wish["VariantName"] for wish in wishes if wish["VariantName"] not in variants]
        if unknown:
            raise ValidationError(f"The endpoint {endpoint.name} has no variants {', '.join(unknown)}")
        for wish in wishes:
            variant = variants[wish["VariantName"]]
            variant.weight = wish.get("DesiredWeight", variant.weight)
            variant.num_instances = wish.get("DesiredInstanceCount", variant.num_instances)
        self._note(endpoint, EndpointStatus.UPDATING)
        self._begin(endpoint, self._rescale(endpoint))
        return {"EndpointArn": endpoint.arn}

    def _delete_endpoint(self, asked: Document) -> Document:
        endpoint = self._find_endpoint(asked["EndpointName"])
        if endpoint.status is not EndpointStatus.DELETING:
            self._note(endpoint, EndpointStatus.DELETING)
            self._begin(endpoint, self._remove(endpoint))
        return {}

    def _plan(self, config_name: str) -> Deployment:
        config = _find(self._configs, config_name, "endpoint configuration").request
        variants = config["ProductionVariants"]
        requests.check_config(config, self._models)  # a model may have been deleted since
        return Deployment(
            config_name=config_name,
            config=config,
            variants=[Variant.of(variant, self._models) for variant in variants],
        )

    def _require_settled(self, name: str) -> Endpoint:
        endpoint = self._find_endpoint(name)
        if not endpoint.status.is_settled:
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}": it is {endpoint.status}.')
        return endpoint

    def _find_endpoint(self, name: str) -> Endpoint:
        if name not in self._endpoints:
            raise ValidationError(f'Could not find endpoint "{arn_of(_ENDPOINT, name)}".')
        return self._endpoints[name]

    def _find_fleet(self, name: str) -> Fleet:
        if name not in self._endpoints:
            raise ValidationError(f"Endpoint {name} of account not found.")
        if name not in self._fleets:
            raise ValidationError(f"Endpoint {name} is {self._endpoints[name].status}: it does not answer.")
        return self._fleets[name]

    # their life

    def _begin(self, endpoint: Endpoint, steps: Coroutine[Any, Any, None]) -> None:
        """Goes on with an endpoint, after what was begun before has been cancelled. Its first turn comes later."""
        former = self._tasks.get(endpoint.name)

        async def run() -> None:
            if former is not None and not former.done():
                former.cancel()
                await asyncio.wait({former})
            await steps

        task = self._tasks[endpoint.name] = asyncio.get_running_loop().create_task(run(), name=endpoint.arn)
        task.add_done_callback(_log_failure)

    def _start_fleet(self, endpoint: Endpoint, deployment: Deployment) -> Fleet:
        fleet = self._fleets[endpoint.name] = self._build_fleet(endpoint, deployment)
        fleet.scale()
        return fleet

    def _build_fleet(self, endpoint: Endpoint, deployment: Deployment) -> Fleet:
        return Fleet(endpoint.name, deployment, machine=self._machine, http=self._http)

    async def _deploy(self, endpoint: Endpoint, deployment: Deployment) -> None:
        """Starts the new containers; once all are healthy they answer, and the former ones end."""
        fleet = self._build_fleet(endpoint, deployment)
        try:
            fleet.scale()
            await fleet.wait_until_healthy()
        except FleetError as error:
            _logger.warning("endpoint %s: %s", endpoint.name, error)
            endpoint.pending = None if endpoint.current else endpoint.pending
            status = EndpointStatus.IN_SERVICE if endpoint.current else EndpointStatus.FAILED
            self._note(endpoint, status, reason=str(error))
            await fleet.stop()
            return
        except asyncio.CancelledError:
            await fleet.stop(grace_seconds=0)
            raise
        former = self._fleets.get(endpoint.name)
        self._fleets[endpoint.name] = fleet
        endpoint.current, endpoint.pending = deployment, None
        self._note(endpoint, EndpointStatus.IN_SERVICE)
        if former is not None:
            await former.stop()

    async def _rescale(self, endpoint: Endpoint) -> None:
        fleet = self._fleets[endpoint.name]
        fleet.scale()
        try:
            await fleet.wait_until_healthy()
        except FleetError as error:
            self._note(endpoint, EndpointStatus.IN_SERVICE, reason=str(error))
            return
        self._note(endpoint, EndpointStatus.IN_SERVICE)

    async def _remove(self, endpoint: Endpoint) -> None:
        fleet = self._fleets.pop(endpoint.name, None)
        if fleet is not None:
            await fleet.stop()
        del self._endpoints[endpoint.name]
        self._ledger.delete(_ENDPOINT, endpoint.name)
        self._ledger.flush_soon()

    def _note(self, endpoint: Endpoint, status: EndpointStatus | None = None, *, reason: str | None = None) -> None:
        """Writes an endpoint down and tells of it; what an operation changes is flushed by its answer."""
        endpoint.status = status or endpoint.status
        endpoint.changed_at, endpoint.failure_reason = self._machine.clock(), reason
        self._ledger.save(_ENDPOINT, endpoint.name, endpoint.to_document)
        self._ledger.tell(events.build_event(endpoint))
        if endpoint.status.is_settled:
            self._ledger.flush_soon()


def _find(known: Mapping[str, Definition], name: str, noun: str) -> Definition:
    if name not in known:
        raise ValidationError(f'Could not find {noun} "{name}".')
    return known[name]


def _retain(current: Deployment, pending: Deployment, *, excluded: set[str]) -> None:
    former = {variant.name: variant for variant in current.variants}
    for variant in pending.variants:
        if (kept := former.get(variant.name)) is None:
            continue
        if "DesiredWeight" not in excluded:
            variant.weight = kept.weight
        if "DesiredInstanceCount" not in excluded:
            variant.num_instances = kept.num_instances


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _logger.error("%s broke", task.get_name(), exc_info=error)
