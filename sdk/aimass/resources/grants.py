"""Grants of datasets, models and endpoints. Those of sources are `client.sources.grant`."""

from aimass.binding import Api, Pages, to_request
from aimass_core.domain.grants import Grant, GrantCreate, GrantKind, GrantVerb


class GrantsApi(Api):
    """`client.grants`. `kind` is dataset, model or endpoint; `ref` its id or its name."""

    def put(self, kind: GrantKind | str, ref: str, grantee: str, *, verb: GrantVerb | str) -> Grant:
        """Lets another workspace `read` it, or a user, an API key or a role of this one `edit` it."""
        return self._put(Grant, f"{_path(kind, ref)}/{grantee}", to_request(GrantCreate, verb=verb))

    def revoke(self, kind: GrantKind | str, ref: str, grantee: str) -> None:
        """Takes a grant back, at once."""
        self._delete(f"{_path(kind, ref)}/{grantee}")

    def list(self, kind: GrantKind | str, ref: str) -> Pages[Grant]:
        """Who may do more with it than their role says."""
        return self._list(Grant, _path(kind, ref))

    def given(self, *, grantee: str | None = None) -> Pages[Grant]:
        """What this workspace has granted, to whomever or to one grantee."""
        return self._list(Grant, "/v1/grants/given", grantee=grantee)

    def shared(self) -> Pages[Grant]:
        """What other workspaces let this one read; by its id it is read as one's own."""
        return self._list(Grant, "/v1/grants")


def _path(kind: GrantKind | str, ref: str) -> str:
    return f"/v1/{GrantKind(kind)}s/{ref}/grants"
