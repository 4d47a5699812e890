"""Everything that runs for one deployment of an endpoint, and which of it answers a request."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import httpx2

from aimass_local.sagemaker.hosting.replicas import Replica
from aimass_local.sagemaker.hosting.resources import Deployment, Variant
from aimass_local.sagemaker.machine import Machine

INVOCATION_SECONDS = 60.0
_PATIENCE_SECONDS = 20.0
_MAX_STARTS = 3


class FleetError(Exception):
    """A deployment does not come up; the text is the endpoint's FailureReason."""


class NobodyAnswersError(Exception):
    """No container takes requests now."""


class LostError(Exception):
    """The container went away, or fell silent, with the request in its hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a container answered, and who it was."""

    response: httpx2.Response
    variant: str
    log_group: str
    log_stream: str


class Fleet:
    """The replicas of all variants.

    Args:
        deployment: its weights count as they are; its numbers of instances through `scale`.
    """

    def __init__(self, endpoint_name: str, deployment: Deployment, *, machine: Machine, http: httpx2.AsyncClient):
        self.deployment = deployment
        self._endpoint_name, self._machine, self._http = endpoint_name, machine, http
        self._numbers = count(1)
        self._replicas: list[Replica] = []
        self._retiring: set[asyncio.Task[None]] = set()

    def scale(self) -> None:
        """Starts what lacks, and lets go of what is too much once it has answered what it was asked."""
        for variant in self.deployment.variants:
            mine = self._replicas_of(variant)
            for replica in mine[variant.num_instances :]:
                self._replicas.remove(replica)
                task = asyncio.create_task(replica.stop())
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
            for _ in range(variant.num_instances - len(mine)):
                replica = Replica(
                    variant,
                    endpoint_name=self._endpoint_name,
                    index=next(self._numbers),
                    machine=self._machine,
                    http=self._http,
                )
                self._replicas.append(replica)
                replica.start()

    async def wait_until_healthy(self) -> None:
        """Raises FleetError where a container does not come up."""
        await asyncio.gather(*(self._wait_for(replica) for replica in self._replicas))

    async def stop(self, *, grace_seconds: float | None = None) -> None:
        options = {} if grace_seconds is None else {"grace_seconds": grace_seconds}
        await asyncio.gather(*(replica.stop(**options) for replica in self._replicas), *self._retiring)

    async def invoke(self, body: bytes, headers: Mapping[str, str], *, target: str | None) -> Reply:
        """Asks one container.

        Args:
            target: the variant; None: one by its weight.

        Raises:
            KeyError: there is no such variant.
            NobodyAnswersError: none of its containers takes requests.
            LostError: the container did not answer; it may have done what it was asked.
        """
        variant = self._choose_variant(target)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            replica = await self._choose_replica(variant, deadline)
            try:
                response = await replica.post("/invocations", body, headers, seconds=INVOCATION_SECONDS)
            except httpx2.ConnectError:
                replica.note_silence()  # nothing was sent: another one may take it
                continue
            except httpx2.TimeoutException as error:
                raise LostError(
                    "Your invocation timed out while waiting for a response from container primary"
                ) from error
            except httpx2.HTTPError as error:
                raise LostError("An error occurred while handling request as the model process exited.") from error
            return Reply(
                response=response, variant=variant.name, log_group=replica.log_group, log_stream=replica.log_stream
            )

    def _choose_variant(self, target: str | None) -> Variant:
        variants = self.deployment.variants
        if target is not None:
            return {variant.name: variant for variant in variants}[target]
        weights = [variant.weight for variant in variants]
        return random.choices(variants, weights if any(weights) else None)[0]  # noqa: S311 - spreads load

    async def _choose_replica(self, variant: Variant, deadline: float) -> Replica:
        """The healthy one with the least to do; one that is being replaced is waited for."""
        while True:
            mine = self._replicas_of(variant)
            healthy = [replica for replica in mine if replica.is_healthy]
            if healthy:
                least = min(replica.num_in_flight for replica in healthy)
                return random.choice([replica for replica in healthy if replica.num_in_flight == least])  # noqa: S311
            if time.monotonic() > deadline:
                raise NobodyAnswersError(f"no container of the variant {variant.name} answers")
            await asyncio.sleep(0.02)

    def _replicas_of(self, variant: Variant) -> list[Replica]:
        return [replica for replica in self._replicas if replica.variant is variant]

    async def _wait_for(self, replica: Replica) -> None:
        while not replica.is_healthy:
            if replica.num_failures >= _MAX_STARTS:
                raise FleetError(
                    f"The primary container for production variant {replica.variant.name} did not pass the ping health "
                    f"check. Please check CloudWatch logs for this endpoint. ({replica.fault})"
                )
            await replica.wait_for_change(timeout_seconds=1.0)
