"""SageMaker's endpoints are the hosts of models."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ReadTimeoutError

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.domain.engines import HostState, HostStatus
from aimass_core.domain.hosts import HOST_PREFIX
from aimass_core.errors import DeadlineExceededError, InvalidRequestError, UnavailableError
from aimass_core.ports import Host, HostAnswer

_WHAT = "SageMaker"
_VARIANT = "AllTraffic"
_GONE = "Deleting"
_STATUSES = {
    "InService": HostStatus.READY,
    "Updating": HostStatus.READY,
    "SystemUpdating": HostStatus.READY,
    "Failed": HostStatus.FAILED,
    "OutOfService": HostStatus.FAILED,
}
_MAX_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """The image of the container, the role that SageMaker has for it, and the bucket of the lake."""

    image: str
    role_arn: str
    bucket: str


class SageMakerHosting:
    """Satisfies `Hosting`. A host is a model, an endpoint configuration and an endpoint of one name.

    Args:
        client: of boto3 for SageMaker.
        runtime: of boto3 for its runtime.
        plan: what new hosts are made of; asked for with the first.
    """

    def __init__(self, client: Any, runtime: Any, *, plan: Callable[[], HostPlan]) -> None:
        self._client, self._runtime, self._plan = client, runtime, plan

    def create(self, host: Host) -> None:
        """See Hosting. The version's artifacts are taken as they lie in the lake: nothing is packed."""
        plan = self._plan()
        source = {"S3Uri": f"s3://{plan.bucket}/{host.prefix}", "S3DataType": "S3Prefix", "CompressionType": "None"}
        container = {"Image": plan.image, "ModelDataSource": {"S3DataSource": source}}
        variant = {
            "VariantName": _VARIANT,
            "ModelName": host.name,
            "InstanceType": host.instance_type,
            "InitialInstanceCount": host.instances,
        }
        name = host.name
        self._make("create_model", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=plan.role_arn)
        self._make("create_endpoint_config", EndpointConfigName=name, ProductionVariants=[variant])
        self._make("create_endpoint", EndpointName=name, EndpointConfigName=name)

    def find(self, name: str) -> HostState | None:
        """See Hosting."""
        try:
            return _to_state(self._client.describe_endpoint(EndpointName=name))
        except AWS_ERRORS as error:
            if _is_absent(error):
                return None
            raise to_error(error, what=_WHAT) from error

    def list(self) -> Iterator[HostState]:
        """See Hosting."""
        try:
            for page in self._client.get_paginator("list_endpoints").paginate(NameContains=HOST_PREFIX):
                for summary in page["Endpoints"]:
                    state = _to_state(summary)
                    if state is not None and state.name.startswith(HOST_PREFIX):
                        yield state
        except AWS_ERRORS as error:
            raise to_error(error, what=_WHAT) from error

    def delete(self, name: str) -> None:
        """See Hosting. The endpoint last: what is left of a deletion that broke off is found by it."""
        self._remove("delete_model", ModelName=name)
        self._remove("delete_endpoint_config", EndpointConfigName=name)
        self._remove("delete_endpoint", EndpointName=name)

    def ask(self, name: str, body: bytes, *, content_type: str, attributes: str | None = None) -> HostAnswer:
        """See Hosting. A request whose container went away is asked once more: an inference changes nothing."""
        request = {"EndpointName": name, "Body": body, "ContentType": content_type}
        if attributes is not None:
            request["CustomAttributes"] = attributes
        try:
            return self._ask(request)
        except _LostError:
            pass
        try:
            return self._ask(request)
        except _LostError as error:
            raise UnavailableError("The container went away while it answered, twice. Try again.") from error

    def _ask(self, request: Mapping[str, Any]) -> HostAnswer:
        try:
            answer = self._runtime.invoke_endpoint(**request)
            return HostAnswer(status=200, content_type=answer["ContentType"], content=answer["Body"].read())
        except ReadTimeoutError as error:
            raise DeadlineExceededError(
                "The containers did not answer in the time that is left. Send fewer rows in one request."
            ) from error
        except AWS_ERRORS as error:
            if code_of(error) == "ModelError":
                return _to_answer(error)
            if code_of(error) == "ValidationError":
                raise UnavailableError("The containers of this endpoint do not answer now. Try again.") from error
            raise to_error(error, what=_WHAT) from error

    def _make(self, operation: str, **request: Any) -> None:
        try:
            getattr(self._client, operation)(**request)
        except AWS_ERRORS as error:
            words = _words(error)
            if "already existing" in words:
                return
            if code_of(error) == "ResourceLimitExceeded":
                raise UnavailableError(f"The account's quota of SageMaker instances is used up: {words}") from error
            if code_of(error) in ("ValidationException", "AccessDeniedException"):
                raise InvalidRequestError(
                    f"SageMaker will not host this model: {words or code_of(error)}. Choose another instance type, or "
                    "the engine lambda."
                ) from error
            raise to_error(error, what=_WHAT) from error

    def _remove(self, operation: str, **request: Any) -> None:
        try:
            getattr(self._client, operation)(**request)
        except AWS_ERRORS as error:
            if not _is_absent(error):
                raise to_error(error, what=_WHAT) from error


class _LostError(Exception):
    """The container did not answer; it may have done what it was asked."""


def _to_state(description: Mapping[str, Any]) -> HostState | None:
    if description["EndpointStatus"] == _GONE:
        return None
    status = _STATUSES.get(description["EndpointStatus"], HostStatus.STARTING)
    reason = description.get("FailureReason", "")[:_MAX_REASON] or None
    return HostState(name=description["EndpointName"], status=status, reason=reason)


def _to_answer(error: Any) -> HostAnswer:
    status = int(error.response.get("OriginalStatusCode", 0))
    if status == 0:
        raise _LostError from error
    content = str(error.response.get("OriginalMessage", "")).encode()
    return HostAnswer(status=status, content_type="application/json", content=content)


def _is_absent(error: Exception) -> bool:
    return code_of(error) == "ValidationException" and "Could not find" in _words(error)


def _words(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Message", ""))[:300]
