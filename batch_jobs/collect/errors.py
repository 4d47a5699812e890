"""Why a run ends early, in words for the owner of the source. None is tried again by the compute service: the schedule
does that."""

from typing import ClassVar

from aimass_core.errors import InvalidDataError, InvalidRequestError


class AuthFailedError(InvalidRequestError):
    """The source refuses the secret, also after it was read anew. The source is not read until it is set."""

    code: ClassVar[str] = "auth_failed"


class SourceUnavailableError(InvalidRequestError):
    """The source does not answer, or not as it should, and the patience of the run is used up."""

    code: ClassVar[str] = "source_unavailable"


class AddressRefusedError(InvalidRequestError):
    """An address that a collector may not reach."""

    code: ClassVar[str] = "address_refused"


class LoopError(InvalidDataError):
    """The source answers the same page again and again."""

    code: ClassVar[str] = "collector_loop"


class ContractBrokenError(InvalidDataError):
    """The records are not as the policy wants them, and it says that the run stops then."""

    code: ClassVar[str] = "contract_broken"


class TooMuchError(InvalidDataError):
    """A quota or a limit is reached at a place from which the next run could not go on."""

    code: ClassVar[str] = "collection_quota"
