"""Accounts in a user pool of the emulator, made as the template makes it."""

import json
import traceback
from typing import Any

import pytest

from aimass_core.adapters.cognito import CognitoIdentity
from aimass_core.bootstrap import AwsClients
from aimass_core.errors import AimassError, InternalError
from aimass_core.ports import Identity
from tests.contracts.identity import PASSWORD, IdentityContract
from tests.unit.layers.contents import REPOSITORY

TEMPLATE = REPOSITORY / "infra" / "cdk" / "template" / "AimassIdentity.template.json"


def _properties(resource_type: str) -> dict[str, Any]:
    resources = json.loads(TEMPLATE.read_text())["Resources"].values()
    return next(dict(each["Properties"]) for each in resources if each["Type"] == resource_type)


@pytest.fixture(scope="module")
def pool(clients: AwsClients) -> tuple[str, str]:
    """The ids of a pool and of its client."""
    wanted = _properties("AWS::Cognito::UserPool")
    named = ("AdminCreateUserConfig", "Policies", "UsernameAttributes", "UsernameConfiguration", "MfaConfiguration")
    made = clients.cognito.create_user_pool(PoolName="aimass", **{name: wanted[name] for name in named})
    pool_id = made["UserPool"]["Id"]
    client = _properties("AWS::Cognito::UserPoolClient")
    client.pop("UserPoolId")
    client.pop("SupportedIdentityProviders")
    made = clients.cognito.create_user_pool_client(UserPoolId=pool_id, **client)
    return pool_id, made["UserPoolClient"]["ClientId"]


class TestCognitoIdentity(IdentityContract):
    @pytest.fixture
    def identity(self, clients: AwsClients, pool: tuple[str, str]) -> Identity:
        return CognitoIdentity(clients.cognito, user_pool_id=pool[0], client_id=pool[1])

    @pytest.fixture(autouse=True)
    def _operator(self, clients: AwsClients, pool: tuple[str, str]) -> None:
        self._clients, self._pool = clients, pool[0]

    def make_temporary(self, identity: Identity, subject: str, password: str) -> None:
        self._clients.cognito.admin_set_user_password(
            UserPoolId=self._pool, Username=subject, Password=password, Permanent=False
        )


def test_h17_no_password_is_in_what_a_fault_leaves(clients: AwsClients) -> None:
    """Of a pool that is not there."""
    absent = CognitoIdentity(clients.cognito, user_pool_id="eu-central-1_absent", client_id="none")
    for ask in (lambda: absent.sign_in("a@b.cd", PASSWORD), lambda: absent.create("a@b.cd", PASSWORD)):
        with pytest.raises(AimassError) as refused:
            ask()
        assert isinstance(refused.value, InternalError)
        assert PASSWORD not in "".join(traceback.format_exception(refused.value))
        assert "absent" not in refused.value.message


def test_the_issuer_is_awss_address_wherever_the_pool_is_served(clients: AwsClients) -> None:
    identity = CognitoIdentity(clients.cognito, user_pool_id="eu-west-1_AbC", client_id="none")
    assert identity.issuer == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"
