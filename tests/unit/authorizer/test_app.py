"""The authorizer's answers, as API Gateway wants them."""

from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.services import workspaces
from functions.authorizer.app import Unauthorized, make_handler

ARN = "arn:aws:execute-api:eu-central-1:000000000000:main/live/GET/v1/jobs"


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


@pytest.fixture
def token(ports: MemoryPorts) -> str:
    return workspaces.create_first(ports, name="team")[1]


def _ask(ports: MemoryPorts, **event: Any) -> dict[str, Any]:
    return make_handler(lambda: ports)({"methodArn": ARN, **event}, None)  # type: ignore[arg-type]


def test_a_right_key_is_allowed_to_call_this_api_and_stage_only(ports: MemoryPorts, token: str) -> None:
    answer = _ask(ports, headers={"Authorization": f"Bearer {token}"})
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == "arn:aws:execute-api:eu-central-1:000000000000:main/live/*"


def test_the_context_holds_strings_only(ports: MemoryPorts, token: str) -> None:
    context = _ask(ports, headers={"authorization": f"bearer {token}"})["context"]
    assert context.keys() == {"workspace_id", "workspace_name", "actor", "actor_name", "role"}
    assert all(type(value) is str for value in context.values())
    assert (context["workspace_name"], context["role"]) == ("team", "admin")


def test_many_values_of_a_header_are_read_from_where_api_gateway_keeps_them(ports: MemoryPorts, token: str) -> None:
    good = f"Bearer {token}"
    assert _ask(ports, multiValueHeaders={"Authorization": [good]}, headers={"Authorization": good})
    with pytest.raises(Unauthorized):
        _ask(ports, multiValueHeaders={"Authorization": [good, "Bearer x"]}, headers={"Authorization": good})


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"headers": None},
        {"headers": {"Authorization": ""}},
        {"headers": {"Authorization": "Bearer"}},
        {"headers": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}},
        {"queryStringParameters": {"authorization": "Bearer x"}},
    ],
)
def test_a_refusal_has_the_only_words_that_api_gateway_turns_into_401(
    ports: MemoryPorts, event: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unauthorized) as refused:
        _ask(ports, **event)
    assert str(refused.value) == "Unauthorized"
    assert "eyJ" not in capsys.readouterr().out


def test_a_registry_that_is_away_is_no_refusal(token: str) -> None:
    """Else a hiccup would look like a revoked key, and clients would not try again."""

    def away() -> MemoryPorts:
        raise ConnectionError("no registry")

    with pytest.raises(ConnectionError):
        make_handler(away)({"methodArn": ARN, "headers": {"Authorization": f"Bearer {token}"}}, None)  # type: ignore[arg-type]
