"""Deployment secrets from Secrets Manager, kept for some minutes by Powertools."""

from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from aimass_core.errors import UnavailableError

_MAX_AGE_SECONDS = 300


class SecretsManagerSecrets:
    """Satisfies `Secrets`."""

    def __init__(self, client: Any) -> None:
        self._provider = SecretsProvider(boto3_client=client)

    def get(self, name: str) -> str:
        """See Secrets."""
        try:
            secret = self._provider.get(name, max_age=_MAX_AGE_SECONDS)
        except GetParameterError as error:
            raise UnavailableError(f"The deployment secret {name!r} cannot be read. Try again.") from error
        return secret.decode() if isinstance(secret, bytes) else str(secret)
