"""Which paths exist, which function answers them, and that all but a few are closed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aimass_core import errors
from tests.infra.templates import Template

OPEN = {
    ("GET", "/v1/docs"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/sessions/refresh"),
    ("POST", "/v1/webhooks/{workspace}/{source}"),
    ("ANY", "/"),
    ("ANY", "/console"),
    ("ANY", "/console/{proxy+}"),
}


def _paths(template: Template) -> dict[str, str]:
    """Logical id of each path's resource to the path."""
    resources = {name: item["Properties"] for name, item in template.resources("AWS::ApiGateway::Resource").items()}

    def path_of(name: str) -> str:
        parent = resources[name]["ParentId"].get("Ref")
        return f"{path_of(parent) if parent else ''}/{resources[name]['PathPart']}"

    return {name: path_of(name) for name in resources}


def _methods(template: Template) -> dict[tuple[str, str], Mapping[str, Any]]:
    paths = _paths(template)
    return {
        (item["HttpMethod"], paths.get(item["ResourceId"].get("Ref"), "/")): item
        for item in template.properties("AWS::ApiGateway::Method")
    }


def _function_of(method: Mapping[str, Any]) -> str:
    parts = method["Integration"]["Uri"]["Fn::Join"][1]
    return next(str(part["Fn::GetAtt"][0]) for part in parts if "Fn::GetAtt" in part)


def test_h1_every_route_but_the_listed_ones_is_closed(application: Template) -> None:
    (authorizer,) = application.resources("AWS::ApiGateway::Authorizer")
    methods = _methods(application)
    assert {route for route, item in methods.items() if item["AuthorizationType"] == "NONE"} == OPEN
    for route, item in methods.items():
        if route not in OPEN:
            assert item["AuthorizationType"] == "CUSTOM", route
            assert item["AuthorizerId"] == {"Ref": authorizer}, route


def test_h5_a_revoked_key_stops_working_at_once(application: Template) -> None:
    (authorizer,) = application.properties("AWS::ApiGateway::Authorizer")
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["IdentitySource"] == "method.request.header.Authorization"


def test_h12_no_origin_is_allowed(application: Template) -> None:
    assert not [route for route in _methods(application) if route[0] == "OPTIONS"]


def test_each_path_leads_to_its_function(application: Template) -> None:
    for (method, path), item in _methods(application).items():
        is_inference = path.startswith("/v2") or (method == "POST" and path.endswith(("/predict", "/invocations")))
        is_webhook = method == "POST" and path.startswith("/v1/webhooks/")
        is_console = path == "/" or path.startswith("/console")
        function = "Predictions" if is_inference else "Webhooks" if is_webhook else "Console" if is_console else "Api"
        assert _function_of(item).startswith(function), (method, path)


def test_every_path_beside_a_greedy_one_serves_every_method(application: Template) -> None:
    """API Gateway settles on the most specific path before it looks at the method."""
    methods = _methods(application)
    assert {"/", *_paths(application).values()} == {path for method, path in methods if method == "ANY"}


def test_bodies_reach_the_functions_byte_by_byte(application: Template) -> None:
    (api,) = application.properties("AWS::ApiGateway::RestApi")
    assert api["BinaryMediaTypes"] == ["*/*"]


def test_each_function_may_be_called_by_this_api_only(application: Template) -> None:
    permissions = application.properties("AWS::Lambda::Permission")
    from_gateway = [item for item in permissions if item["Principal"] == "apigateway.amazonaws.com"]
    assert len(from_gateway) == 5
    for item in from_gateway:
        assert any(
            isinstance(part, dict) and str(part.get("Ref", "")).startswith("HttpApi")
            for part in item["SourceArn"]["Fn::Join"][1]
        ), item


@pytest.mark.parametrize(
    ("response_type", "status"),
    [
        ("UNAUTHORIZED", 401),
        ("ACCESS_DENIED", 403),
        ("MISSING_AUTHENTICATION_TOKEN", 404),
        ("REQUEST_TOO_LARGE", 413),
        ("THROTTLED", 429),
        ("INTEGRATION_TIMEOUT", 504),
        ("INTEGRATION_FAILURE", 503),
        ("DEFAULT_5XX", 500),
    ],
)
def test_the_gateways_own_answers_are_problems(application: Template, response_type: str, status: int) -> None:
    response = next(
        item
        for item in application.properties("AWS::ApiGateway::GatewayResponse")
        if item["ResponseType"] == response_type
    )
    problem = json.loads(response["ResponseTemplates"]["application/json"])
    assert response["ResponseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    assert (int(response["StatusCode"]), problem["status"]) == (status, status)
    assert problem["code"] in errors.error_classes()
    assert problem["type"] == f"urn:aimass:error:{problem['code']}"
    assert problem["detail"] == problem["error"]


def test_the_local_api_keeps_its_id(application: Template) -> None:
    (api,) = application.properties("AWS::ApiGateway::RestApi")
    assert {"Key": "ms-custom-id", "Value": "main"} in api["Tags"]
    assert {"Key": "_custom_id_", "Value": "main"} in api["Tags"]
