"""Compute environments, job queues, job definitions, scheduling policies and tags."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from aimass_local.batch import definitions
from aimass_local.batch.errors import ClientError
from aimass_local.batch.paging import take_page
from aimass_local.batch.wire import Document
from aimass_local.documents import DocumentStore
from aimass_local.environment import ACCOUNT_ID, REGION

ARN_PREFIX = f"arn:aws:batch:{REGION}:{ACCOUNT_ID}:"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_HEALTHY = {"status": "VALID", "statusReason": "ComputeEnvironment Healthy"}

_logger = logging.getLogger(__name__)


class Resources:
    """All that a job refers to. Documents are kept in the form in which Describe answers them."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._compute_environments = dict(store.load("compute_environment"))
        self._job_queues = dict(store.load("job_queue"))
        self._job_definitions = dict(store.load("job_definition"))
        self._scheduling_policies = dict(store.load("scheduling_policy"))
        self._entries = {
            "compute_environment": self._compute_environments,
            "job_queue": self._job_queues,
            "job_definition": self._job_definitions,
            "scheduling_policy": self._scheduling_policies,
        }
        # The highest revision outlives its definition: a revision number is never used twice.
        self._revisions: dict[str, int] = {name: entry["last"] for name, entry in store.load("revision")}

    # compute environments

    def create_compute_environment(self, parameters: Document) -> Document:
        name = _require_name(parameters["computeEnvironmentName"])
        if name in self._compute_environments:
            raise ClientError(f"Object already exists: {name}")
        if "eksConfiguration" in parameters:
            raise ClientError("eksConfiguration is not supported here: this machine runs ECS compute environments")
        arn = f"{ARN_PREFIX}compute-environment/{name}"
        self._compute_environments[name] = {
            "state": "ENABLED",
            "containerOrchestrationType": "ECS",
            "ecsClusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT_ID}:cluster/local",
            "tags": {},
            **parameters,
            **_HEALTHY,
            "computeEnvironmentArn": arn,
        }
        self._save("compute_environment", name)
        return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}

    def describe_compute_environments(self, parameters: Document) -> Document:
        names = [_last_part(reference) for reference in parameters.get("computeEnvironments", [])]
        found = [entry for name, entry in self._compute_environments.items() if not names or name in names]
        page, more = take_page(found, parameters, key=lambda entry: [entry["computeEnvironmentName"]])
        return {"computeEnvironments": page, **more}

    def update_compute_environment(self, parameters: Document) -> Document:
        entry = self.get_compute_environment(parameters["computeEnvironment"])
        changes = {name: value for name, value in parameters.items() if name != "computeEnvironment"}
        resources = {**entry.get("computeResources", {}), **changes.pop("computeResources", {})}
        entry.update(changes)
        if resources:
            entry["computeResources"] = resources
        self._save("compute_environment", entry["computeEnvironmentName"])
        return {name: entry[name] for name in ("computeEnvironmentName", "computeEnvironmentArn")}

    def delete_compute_environment(self, parameters: Document) -> Document:
        name = _last_part(parameters["computeEnvironment"])
        entry = self._compute_environments.get(name)
        if entry is None:
            return {}
        if entry["state"] != "DISABLED":
            raise ClientError(f"Cannot delete, {name} has to be DISABLED first")
        users = [queue["jobQueueName"] for queue in self._job_queues.values() if entry in self.get_environments(queue)]
        if users:
            raise ClientError(f"Cannot delete, found existing JobQueue relationship: {', '.join(users)}")
        self._delete("compute_environment", name)
        return {}

    def get_compute_environment(self, reference: str) -> Document:
        return _find(self._compute_environments, reference)

    # job queues

    def create_job_queue(self, parameters: Document) -> Document:
        name = _require_name(parameters["jobQueueName"])
        if name in self._job_queues:
            raise ClientError(f"Object already exists: {name}")
        order = parameters.get("computeEnvironmentOrder", [])
        if not order:
            raise ClientError("computeEnvironmentOrder has to name at least one compute environment")
        self._check_queue(parameters)
        arn = f"{ARN_PREFIX}job-queue/{name}"
        self._job_queues[name] = {
            "state": "ENABLED",
            "jobQueueType": "ECS",
            "tags": {},
            **parameters,
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "jobQueueArn": arn,
        }
        self._save("job_queue", name)
        return {"jobQueueName": name, "jobQueueArn": arn}

    def describe_job_queues(self, parameters: Document) -> Document:
        names = [_last_part(reference) for reference in parameters.get("jobQueues", [])]
        found = [entry for name, entry in self._job_queues.items() if not names or name in names]
        page, more = take_page(found, parameters, key=lambda entry: [entry["jobQueueName"]])
        return {"jobQueues": page, **more}

    def update_job_queue(self, parameters: Document) -> Document:
        entry = self.get_job_queue(parameters["jobQueue"])
        self._check_queue(parameters)
        entry.update({name: value for name, value in parameters.items() if name != "jobQueue"})
        self._save("job_queue", entry["jobQueueName"])
        return {name: entry[name] for name in ("jobQueueName", "jobQueueArn")}

    def delete_job_queue(self, parameters: Document) -> Document:
        name = _last_part(parameters["jobQueue"])
        entry = self._job_queues.get(name)
        if entry is None:
            return {}
        if entry["state"] != "DISABLED":
            raise ClientError(f"Cannot delete, {name} has to be DISABLED first")
        self._delete("job_queue", name)
        return {}

    def get_job_queue(self, reference: str) -> Document:
        return _find(self._job_queues, reference)

    def list_job_queues(self) -> list[Document]:
        """All queues, the most urgent first."""
        return sorted(self._job_queues.values(), key=lambda queue: -int(queue["priority"]))

    def get_environments(self, queue: Document) -> list[Document]:
        """The compute environments of a queue, in its order."""
        order = sorted(queue["computeEnvironmentOrder"], key=lambda entry: int(entry["order"]))
        return [self.get_compute_environment(entry["computeEnvironment"]) for entry in order]

    def _check_queue(self, parameters: Document) -> None:
        for entry in parameters.get("computeEnvironmentOrder", []):
            self.get_compute_environment(entry["computeEnvironment"])
        if policy := parameters.get("schedulingPolicyArn"):
            self._get_scheduling_policy(policy)
        for ignored in ("jobStateTimeLimitActions", "serviceEnvironmentOrder"):
            if parameters.get(ignored):
                raise ClientError(f"{ignored} is not supported by the local AWS Batch")

    # job definitions

    def register_job_definition(self, parameters: Document) -> Document:
        name = _require_name(parameters["jobDefinitionName"])
        definitions.check(parameters)
        revision = self._revisions.get(name, 0) + 1
        self._revisions[name] = revision
        self._store.save("revision", name, lambda: {"last": revision})
        key = f"{name}:{revision}"
        self._job_definitions[key] = {
            "parameters": {},
            "tags": {},
            "containerOrchestrationType": "ECS",
            **parameters,
            "revision": revision,
            "status": "ACTIVE",
            "jobDefinitionArn": f"{ARN_PREFIX}job-definition/{key}",
        }
        self._save("job_definition", key)
        return {
            "jobDefinitionName": name,
            "jobDefinitionArn": f"{ARN_PREFIX}job-definition/{key}",
            "revision": revision,
        }

    def describe_job_definitions(self, parameters: Document) -> Document:
        found: Iterable[Document] = self._job_definitions.values()
        if references := parameters.get("jobDefinitions"):
            wanted = {_last_part(reference) for reference in references}
            found = [e for e in found if {e["jobDefinitionName"], _last_part(e["jobDefinitionArn"])} & wanted]
        for name in ("jobDefinitionName", "status"):
            if name in parameters:
                found = [entry for entry in found if entry[name] == parameters[name]]
        page, more = take_page(
            found, parameters, key=lambda entry: [entry["jobDefinitionName"], -int(entry["revision"])]
        )
        return {"jobDefinitions": page, **more}

    def deregister_job_definition(self, parameters: Document) -> Document:
        key = _last_part(parameters["jobDefinition"])
        entry = self._job_definitions.get(key)
        if entry is None:
            raise ClientError(f"JobDefinition {parameters['jobDefinition']} not found: name it as name:revision or ARN")
        entry["status"] = "INACTIVE"
        self._save("job_definition", key)
        return {}

    def get_job_definition(self, reference: str) -> Document:
        """The active definition that `name`, `name:revision` or an ARN means; without a revision the latest.

        Raises:
            ClientError: there is none.
        """
        wanted = _last_part(reference)
        active = [entry for entry in self._job_definitions.values() if entry["status"] == "ACTIVE"]
        found = [
            entry
            for entry in active
            if wanted in (entry["jobDefinitionName"], f"{entry['jobDefinitionName']}:{entry['revision']}")
        ]
        if not found:
            raise ClientError(f"JobDefinition {reference} not found, or it is not ACTIVE")
        return max(found, key=lambda entry: int(entry["revision"]))

    # scheduling policies

    def create_scheduling_policy(self, parameters: Document) -> Document:
        name = _require_name(parameters["name"])
        arn = f"{ARN_PREFIX}scheduling-policy/{name}"
        if name in self._scheduling_policies:
            raise ClientError(f"Object already exists: {name}")
        if "fairsharePolicy" in parameters:
            _logger.warning("scheduling policy %s: shares are not weighed here, priorities are honoured", name)
        self._scheduling_policies[name] = {"tags": {}, **parameters, "arn": arn}
        self._save("scheduling_policy", name)
        return {"name": name, "arn": arn}

    def describe_scheduling_policies(self, parameters: Document) -> Document:
        names = [_last_part(arn) for arn in parameters["arns"]]
        found = [self._scheduling_policies[name] for name in names if name in self._scheduling_policies]
        return {"schedulingPolicies": found}

    def list_scheduling_policies(self, parameters: Document) -> Document:
        page, more = take_page(self._scheduling_policies.values(), parameters, key=lambda entry: [entry["arn"]])
        return {"schedulingPolicies": [{"arn": entry["arn"]} for entry in page], **more}

    def update_scheduling_policy(self, parameters: Document) -> Document:
        entry = self._get_scheduling_policy(parameters["arn"])
        entry.update(parameters)
        self._save("scheduling_policy", entry["name"])
        return {}

    def delete_scheduling_policy(self, parameters: Document) -> Document:
        entry = self._get_scheduling_policy(parameters["arn"])
        users = [q["jobQueueName"] for q in self._job_queues.values() if q.get("schedulingPolicyArn") == entry["arn"]]
        if users:
            raise ClientError(f"Cannot delete, job queues use the scheduling policy: {', '.join(users)}")
        self._delete("scheduling_policy", entry["name"])
        return {}

    def _get_scheduling_policy(self, arn: str) -> Document:
        return _find(self._scheduling_policies, arn)

    # tags

    def get_tags(self, arn: str) -> Document:
        """The tags of a resource of this module, to read or to change.

        Raises:
            ClientError: there is no such resource.
        """
        tags: Document = self._find_tagged(arn)[1]["tags"]
        return tags

    def save_tags(self, arn: str) -> None:
        kind, entry = self._find_tagged(arn)
        self._store.save(kind, _last_part(arn), lambda: entry)

    def _find_tagged(self, arn: str) -> tuple[str, Document]:
        kind = arn.removeprefix(ARN_PREFIX).split("/")[0].replace("-", "_")
        entry = self._entries.get(kind, {}).get(_last_part(arn))
        if entry is None:
            raise ClientError(f"Resource {arn} does not exist")
        return kind, entry

    def _save(self, kind: str, key: str) -> None:
        entry = self._entries[kind][key]
        self._store.save(kind, key, lambda: entry)

    def _delete(self, kind: str, key: str) -> None:
        del self._entries[kind][key]
        self._store.delete(kind, key)


def _require_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ClientError(f"{name!r} is not a name: 1 to 128 letters, digits, hyphens and underscores")
    return name


def _find(entries: dict[str, Document], reference: str) -> Document:
    entry = entries.get(_last_part(reference))
    if entry is None:
        raise ClientError(f"{reference} does not exist")
    return entry


def _last_part(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]
