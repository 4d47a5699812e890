"""The ports are made when they are used, from the settings that the deployable has."""

import pytest

from aimass_core import __version__
from aimass_core.bootstrap import AwsClients, MissingSettingError, build_ports
from aimass_core.services import dispatch
from aimass_core.settings import AuthorizerSettings, DispatchSettings, StorageSettings

ENVIRONMENT = {
    "AIMASS_REGISTRY_TABLE": "registry",
    "AIMASS_STUDIES_TABLE": "studies",
    "AIMASS_LANDING_BUCKET": "landing",
    "AIMASS_LAKE_BUCKET": "lake",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_a_port_is_made_once() -> None:
    ports = build_ports(StorageSettings())
    assert ports.registry is ports.registry
    assert (ports.landing.bucket, ports.lake.bucket) == ("landing", "lake")


def test_nothing_is_made_before_it_is_used() -> None:
    ports = build_ports(StorageSettings())
    assert vars(ports.clients).keys() == {"_session"}
    _ = ports.registry
    assert vars(ports.clients).keys() == {"_session", "dynamodb"}


@pytest.mark.parametrize("name", ["landing", "lake", "compute", "logs", "ingest_queue", "predictor"])
def test_a_port_without_a_setting_says_which_one_is_missing(name: str) -> None:
    ports = build_ports(AuthorizerSettings(user_pool_id="pool", user_pool_client_id="client"))
    with pytest.raises(MissingSettingError, match=r"AuthorizerSettings has no .*AIMASS_"):
        getattr(ports, name)


def test_a_deployable_without_its_variables_does_not_start() -> None:
    with pytest.raises(ValueError, match="job_queue"):
        DispatchSettings()


def test_presigned_urls_name_the_regions_own_host() -> None:
    url = build_ports(StorageSettings()).landing.sign_get("key", expires_seconds=60)
    assert url.startswith("https://landing.s3.eu-central-1.amazonaws.com/key?")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


def test_a_presigned_put_signs_every_header_that_the_client_is_told_to_send() -> None:
    signed = build_ports(StorageSettings()).landing.sign_put("key", num_bytes=5, sha256="0" * 64, expires_seconds=60)
    names = signed.url.partition("X-Amz-SignedHeaders=")[2].partition("&")[0].split("%3B")
    assert set(names) == {"host", *signed.headers}
    assert "crc32" not in signed.url


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://127.0.0.1:4566/"])
def test_the_local_cloud_is_addressed_by_path(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    url = build_ports(StorageSettings()).landing.sign_get("key", expires_seconds=60)
    assert url.startswith("http://127.0.0.1:4566/landing/key?")


def test_the_version_has_three_numbers() -> None:
    assert len([int(part) for part in __version__.split(".")]) == 3


def test_c4_longest_submission_ends_before_another_may_begin() -> None:
    config = AwsClients().batch.meta.config
    num_attempts = config.retries["total_max_attempts"]
    backoffs = sum(2**number for number in range(num_attempts - 1))
    assert num_attempts * (config.connect_timeout + config.read_timeout) + backoffs < dispatch.SUBMIT_SECONDS


def test_golden_request_is_sent_once() -> None:
    assert AwsClients().functions.meta.config.retries["total_max_attempts"] == 1
