"""Against what integration and end-to-end tests run."""

import pytest

from tests.targets import Target, required, skip_unless_local, target, variables_of_target


def test_the_local_cloud_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_TARGET", raising=False)
    assert target() is Target.LOCAL
    skip_unless_local("nothing")


def test_an_unknown_target_names_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TARGET", "azure")
    with pytest.raises(pytest.UsageError, match="use one of local, localstack, aws"):
        target()


def test_localstack_is_where_its_client_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TARGET", "localstack")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("LOCALSTACK_HOST", "elsewhere:1234")
    assert variables_of_target()["AWS_ENDPOINT_URL"] == "http://elsewhere:1234"
    with pytest.raises(pytest.skip.Exception, match="It kills: of TEST_TARGET=local alone"):
        skip_unless_local("It kills")


def test_the_account_is_that_of_the_credentials_and_the_platform_has_to_be_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_TARGET", "aws")
    monkeypatch.delenv("AIMASS_TEST_URL", raising=False)
    assert variables_of_target() == {}
    with pytest.raises(pytest.UsageError, match="TEST_TARGET=aws needs AIMASS_TEST_URL"):
        required("AIMASS_TEST_URL")
