"""What every implementation of `Secrets` does."""

from uuid import uuid4

import pytest

from aimass_core.domain import keys
from aimass_core.domain.common import new_id
from aimass_core.ports import SecretNotFoundError, Secrets


class SecretsContract:
    """Subclasses provide `secrets`; those that cache also `another`, of another process."""

    @pytest.fixture
    def secrets(self) -> Secrets:
        """An implementation."""
        raise NotImplementedError

    @pytest.fixture
    def another(self, secrets: Secrets) -> Secrets:
        """As a second process has it."""
        return secrets

    @pytest.fixture
    def name(self) -> str:
        return keys.source_secret(new_id("ws"), new_id("src"), "token")

    def test_secret_is_what_was_put_last(self, secrets: Secrets, another: Secrets, name: str) -> None:
        for value in ("s3cret", "another", uuid4().hex * 100):
            secrets.put(name, value)
            assert another.get(name, fresh=True) == another.get(name) == value

    def test_absent_secret_is_told(self, secrets: Secrets, name: str) -> None:
        with pytest.raises(SecretNotFoundError, match=name):
            secrets.get(name)

    def test_deleted_secret_is_gone_and_its_name_is_free(self, secrets: Secrets, another: Secrets, name: str) -> None:
        secrets.put(name, "s3cret")
        assert another.get(name) == "s3cret"
        secrets.delete(name)
        secrets.delete(name)
        with pytest.raises(SecretNotFoundError):
            another.get(name, fresh=True)
        secrets.put(name, "again")
        assert another.get(name, fresh=True) == "again"

    def test_secrets_are_listed_by_how_their_names_begin(self, secrets: Secrets, name: str) -> None:
        secrets.put(name, "s3cret")
        prefix = name.rpartition("/")[0] + "/"
        assert list(secrets.list(prefix)) == [name]
        secrets.delete(name)
        assert list(secrets.list(prefix)) == []
