"""Captured requests: the columns beside the model's own, and what can be done with them."""

from pydantic import AwareDatetime, Field, model_validator

from aimass_core.domain.common import Name, Request

# Columns of a captured row beside those of the data.
SERVED_AT = "served_at"
SERVED_ID = "served_id"
SERVED_CLIENT_ID = "served_client_id"
SERVED_BY = "served_by"
SERVED_ANSWER = "served_answer"
SERVED_SCORES = "served_scores"


class CaptureExport(Request):
    """Body of POST /v1/endpoints/{endpoint}/captures: captured rows become a version of a dataset."""

    dataset: Name = Field(description="It is made where there is none; its content is replaced.")
    since: AwareDatetime | None = Field(default=None, description="Null: a week ago.")
    until: AwareDatetime | None = Field(default=None, description="Null: now.")

    @model_validator(mode="after")
    def _check_order(self) -> "CaptureExport":
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError(f"since is {self.since.isoformat()} and not before until, {self.until.isoformat()}")
        return self
