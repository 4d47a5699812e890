"""Sources: what is collected, by which collector, under which policy; runs, secrets and grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aimass.binding import Api, Bound, Pages, to_request
from aimass.resources.jobs import Job
from aimass_core.domain import sources as contract
from aimass_core.domain.sources import (
    CollectionPolicy,
    RunCreate,
    SecretValue,
    SourceCreate,
    SourceDataset,
    SourceGrant,
    SourceGrantCreate,
    SourceLineage,
    SourceRecord,
    SourceState,
    SourceUpdate,
    SourceVerb,
    WebhookAddress,
)

_PATH = "/v1/sources"


class Source(contract.Source, Bound):
    """Something to collect from."""

    def run(self, *, streams: Sequence[str] | None = None, full_refresh: bool = False) -> Job:
        """See SourcesApi.run."""
        return self._client.sources.run(self.id, streams=streams, full_refresh=full_refresh)

    def refresh(self) -> Source:
        """As it is now."""
        return self._client.sources.get(self.id)


class SourcesApi(Api):
    """`client.sources`."""

    def create(
        self,
        name: str,
        *,
        collector: Mapping[str, Any],
        policy: CollectionPolicy | Mapping[str, Any] | None = None,
        **words: str,
    ) -> Source:
        """A source. With a schedule its first run comes by itself.

        Args:
            name: Of the source; its datasets are named after it.
            collector: What reads it, such as `{"type": "files", "urls": ["https://..."]}`.
            policy: How it is collected; default: everything is added, by hand.
            words: `description`, `owner`, `purpose`, `consent`.

        Raises:
            AlreadyExistsError: There is a source of that name.
        """
        fields: dict[str, Any] = {"name": name, "collector": collector, **words}
        if policy is not None:
            fields["policy"] = policy
        return self._post(Source, _PATH, to_request(SourceCreate, **fields))

    def list(self, *, shared: bool = False) -> Pages[Source]:
        """All of the workspace, newest first; `shared`: those of others that it was given a grant for."""
        return self._list(Source, _PATH, **({"shared": "true"} if shared else {}))

    def get(self, source: str) -> Source:
        """By id, or by name in this workspace."""
        return self._get(Source, f"{_PATH}/{source}")

    def update(self, source: Source, **changes: Any) -> Source:
        """Changes description, owner, purpose, consent, collector or policy, also while it is read.

        Raises StaleRevisionError where somebody else was faster.
        """
        return self._patch(
            Source, f"{_PATH}/{source.id}", to_request(SourceUpdate, **changes), revision=source.revision
        )

    def delete(self, source: str) -> None:
        """With its grants, secrets and state; its datasets stay."""
        self._delete(f"{_PATH}/{source}")

    def revisions(self, source: str) -> Pages[SourceRecord]:
        """What it was before its changes, the latest first."""
        return self._list(SourceRecord, f"{_PATH}/{source}/revisions")

    def pause(self, source: str) -> Source:
        """No further run begins."""
        return self._post(Source, f"{_PATH}/{source}/pause")

    def resume(self, source: str) -> Source:
        """After a pause, or after its secret was refused."""
        return self._post(Source, f"{_PATH}/{source}/resume")

    def run(self, source: str, *, streams: Sequence[str] | None = None, full_refresh: bool = False) -> Job:
        """Reads it once, as a job.

        Args:
            source: By name or id.
            streams: Only these. Default: all.
            full_refresh: Begin anew, as if nothing had been read before.

        Raises:
            ConflictError: It is being read, paused, or its secret was refused.
        """
        fields: dict[str, Any] = {"full_refresh": full_refresh}
        if streams is not None:
            fields["streams"] = list(streams)
        return self._post(Job, f"{_PATH}/{source}/runs", to_request(RunCreate, **fields))

    def runs(self, source: str) -> Pages[Job]:
        """Newest first."""
        return self._list(Job, f"{_PATH}/{source}/runs")

    def set_secret(self, source: str, name: str, value: str) -> Source:
        """Keeps it where only runs read it; it cannot be read back."""
        return self._put(Source, f"{_PATH}/{source}/secrets/{name}", to_request(SecretValue, value=value))

    def delete_secret(self, source: str, name: str) -> None:
        """At once and for good."""
        self._delete(f"{_PATH}/{source}/secrets/{name}")

    def grant(self, source: str, grantee: str, verb: SourceVerb | str) -> SourceGrant:
        """Lets another workspace, or one API key of this one, see, read, run or edit it."""
        return self._put(SourceGrant, f"{_PATH}/{source}/grants/{grantee}", to_request(SourceGrantCreate, verb=verb))

    def revoke(self, source: str, grantee: str) -> None:
        """Takes a grant back, at once."""
        self._delete(f"{_PATH}/{source}/grants/{grantee}")

    def grants(self, source: str) -> Pages[SourceGrant]:
        """Who else may do what with it."""
        return self._list(SourceGrant, f"{_PATH}/{source}/grants")

    def state(self, source: str) -> SourceState:
        """Where the next run goes on."""
        return self._get(SourceState, f"{_PATH}/{source}/state")

    def reset(self, source: str) -> None:
        """The next run begins anew."""
        self._delete(f"{_PATH}/{source}/state")

    def datasets(self, source: str) -> Pages[SourceDataset]:
        """What it fills, by stream."""
        return self._list(SourceDataset, f"{_PATH}/{source}/datasets")

    def lineage(self, source: str) -> SourceLineage:
        """Its datasets, and the models that were made of them."""
        return self._get(SourceLineage, f"{_PATH}/{source}/lineage")

    def create_webhook(self, source: str) -> WebhookAddress:
        """The address of a webhook source with a new signing secret, which is in this answer only."""
        return self._post(WebhookAddress, f"{_PATH}/{source}/webhook")
