"""Secrets in Secrets Manager; what is read is kept for some minutes by Powertools."""

from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import BotoCoreError, ClientError

from aimass_core.errors import UnavailableError
from aimass_core.ports import SecretNotFoundError

_MAX_AGE_SECONDS = 300
_ABSENT = "ResourceNotFoundException"
_PRESENT = "ResourceExistsException"


class SecretsManagerSecrets:
    """Satisfies `Secrets`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._provider = SecretsProvider(boto3_client=client)

    def get(self, name: str, *, fresh: bool = False) -> str:
        """See Secrets."""
        try:
            secret = self._provider.get(name, max_age=_MAX_AGE_SECONDS, force_fetch=fresh)
        except GetParameterError as error:
            # NOTE: Powertools raises its own error while it handles that of the client, without naming it as the cause.
            if isinstance(error.__context__, ClientError) and _code(error.__context__) == _ABSENT:
                raise SecretNotFoundError(name) from error
            raise UnavailableError(f"The secret {name!r} cannot be read. Try again.") from error
        return secret.decode() if isinstance(secret, bytes) else str(secret)

    def put(self, name: str, value: str) -> None:
        """See Secrets."""
        try:
            self._create_or_change(name, value)
        except (ClientError, BotoCoreError) as error:
            # NOTE: without the cause, whose text may hold the request.
            raise UnavailableError(f"The secret {name!r} cannot be written. Try again.") from _without_text(error)

    def delete(self, name: str) -> None:
        """See Secrets."""
        try:
            self._client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        except ClientError as error:
            if _code(error) != _ABSENT:
                raise UnavailableError(f"The secret {name!r} cannot be deleted. Try again.") from error

    def list(self, prefix: str) -> Sequence[str]:
        """See Secrets. NOTE: the filter is by the beginning of the name, without regard to case."""
        pages = self._client.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [prefix]}])
        try:
            names = [str(secret["Name"]) for page in pages for secret in page["SecretList"]]
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("The secrets cannot be listed. Try again.") from error
        return [name for name in names if name.startswith(prefix)]

    def _create_or_change(self, name: str, value: str) -> None:
        try:
            self._client.create_secret(Name=name, SecretString=value)
        except ClientError as error:
            if _code(error) != _PRESENT:
                raise
            self._client.put_secret_value(SecretId=name, SecretString=value)


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _without_text(error: Exception) -> Exception:
    return Exception(type(error).__name__)
