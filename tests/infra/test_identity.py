"""Accounts of people: nobody makes one by themselves, and only the API is asked to sign somebody in."""

from datetime import timedelta

from aimass_core.services import sessions
from tests.infra.templates import Template, to_text


def test_accounts_outlive_the_stack(identity: Template) -> None:
    (pool,) = identity.resources("AWS::Cognito::UserPool").values()
    assert pool["DeletionPolicy"] == pool["UpdateReplacePolicy"] == "Retain"
    assert pool["Properties"]["DeletionProtection"] == "ACTIVE"


def test_h19_nobody_signs_up_and_nothing_is_there_from_the_beginning(identity: Template) -> None:
    (pool,) = identity.properties("AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    assert "AWS::Cognito::UserPoolUser" not in str(identity)


def test_passwords_come_through_the_api_which_counts_guesses(identity: Template, application: Template) -> None:
    (client,) = identity.properties("AWS::Cognito::UserPoolClient")
    assert client["ExplicitAuthFlows"] == ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    assert (client["AllowedOAuthFlowsUserPoolClient"], client["GenerateSecret"]) == (False, False)
    asking = [item for item in application.statements() if any("cognito" in action for action in item.actions)]
    assert {item.owner.partition("Role")[0] for item in asking} == {"Api"}
    (resource,) = asking[0].resources
    assert "*" not in to_text(resource)


def test_sessions_of_people_last_as_long_as_those_of_keys(identity: Template) -> None:
    (client,) = identity.properties("AWS::Cognito::UserPoolClient")
    assert set(client["TokenValidityUnits"].values()) == {"minutes"}
    assert timedelta(minutes=client["AccessTokenValidity"]) == sessions.ACCESS
    assert timedelta(minutes=client["RefreshTokenValidity"]) == sessions.SESSION
    assert client["EnableTokenRevocation"] is True
