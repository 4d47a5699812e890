"""The gateway in front of a real emulator."""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Any

import pytest

from aimass_local.environment import HOST
from tests.integration.local.conftest import Cloud


def _request(
    cloud: Cloud, method: str, path: str, *, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HOST, cloud.port, timeout=120)
    try:
        connection.request(method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:4566", "127.0.0.1.evil.com", "localhost.evil.com", "169.254.169.254"]
)
def test_h13_foreign_host_header_is_refused(cloud: Cloud, host: str) -> None:
    status, _, body = _request(cloud, "GET", "/v1/x", Host=host)
    assert status == 421
    assert b"127.0.0.1" in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "[::1]:4566", "bucket.localhost:4566"])
def test_loopback_host_headers_are_served(cloud: Cloud, host: str) -> None:
    assert _request(cloud, "GET", "/_aimass/health", Host=host)[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.com", "null", "http://localhost.evil.com"])
def test_h12_pages_of_foreign_origins_are_refused(cloud: Cloud, origin: str) -> None:
    bucket = cloud.outputs["LandingBucketName"]
    assert _request(cloud, "PUT", f"/{bucket}/stolen", body=b"x", Origin=origin)[0] == 403
    assert cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="stolen")["KeyCount"] == 0


def test_own_pages_are_served(cloud: Cloud) -> None:
    assert _request(cloud, "GET", "/v1/items", Origin="http://localhost:5173")[0] == 200


def test_short_urls_reach_the_deployed_api(cloud: Cloud) -> None:
    for path in ("/v1/items/a+b", "/v2/models"):
        status, _, body = _request(cloud, "GET", path)
        assert status == 200
        assert json.loads(body)["path"] == path


def test_signed_requests_to_v1_paths_reach_their_aws_service(cloud: Cloud) -> None:
    api_ids = [api["ApiId"] for api in cloud.client("apigatewayv2").get_apis()["Items"]]  # GET /v2/apis
    assert cloud.outputs["HttpApiId"] in api_ids


def test_root_redirects_browsers_and_lists_buckets_for_aws_clients(cloud: Cloud) -> None:
    status, headers, _ = _request(cloud, "GET", "/", Accept="text/html,application/xhtml+xml")
    assert (status, headers["location"]) == (302, "/console/")
    buckets = [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    assert cloud.outputs["LandingBucketName"] in buckets


def test_api_request_above_10_mb_is_refused_by_its_declared_length(cloud: Cloud) -> None:
    connection = http.client.HTTPConnection(HOST, cloud.port, timeout=120)
    connection.putrequest("POST", "/v1/items")
    connection.putheader("Content-Length", str(11 * 1024**2))
    connection.endheaders()
    answer = connection.getresponse()  # before a single byte of the body was sent
    assert answer.status == 413
    assert json.loads(answer.read())["message"] == "Request Too Long"
    connection.close()


def test_chunked_api_request_above_10_mb_is_refused_while_it_comes(cloud: Cloud) -> None:
    connection = http.client.HTTPConnection(HOST, cloud.port, timeout=120)
    connection.putrequest("POST", "/v1/items")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    chunk = b"x" * 1024**2
    for body in [*[chunk] * 10, b"x"]:
        connection.send(b"%x\r\n%b\r\n" % (len(body), body))
    # Nothing is sent any more: the connection may be closed with the answer.
    assert connection.getresponse().status == 413
    connection.close()


def test_api_request_up_to_lambdas_limit_arrives_whole(cloud: Cloud) -> None:
    status, _, body = _request(
        cloud, "POST", "/v1/items", body=b"\xff" * (4 * 1024**2), Content_Type="application/octet-stream"
    )
    assert status == 200
    assert json.loads(body)["size"] == 4 * 1024**2


def test_api_request_that_base64_makes_too_large_for_lambda_is_refused(cloud: Cloud) -> None:
    body = b"\xff" * (5 * 1024**2)
    assert _request(cloud, "POST", "/v1/items", body=body, Content_Type="application/octet-stream")[0] == 413


def test_api_answer_above_lambdas_limit_is_a_server_error(cloud: Cloud) -> None:
    assert _request(cloud, "GET", f"/v1/items?answer_bytes={7 * 1024**2}")[0] == 502


def test_large_objects_pass_untouched(cloud: Cloud) -> None:
    s3, bucket = cloud.client("s3"), cloud.outputs["LandingBucketName"]
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * (12 * 1024**2))
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == 12 * 1024**2


def test_presigned_urls_work_without_an_authorization_header(cloud: Cloud) -> None:
    bucket = cloud.outputs["LandingBucketName"]
    cloud.client("s3").put_object(Bucket=bucket, Key="v1/object", Body=b"content")
    url = cloud.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "v1/object"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"
