"""The public face: one REST API whose every route is closed but for the few that carry no data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Tags
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.gateway_responses import add_problem_responses
from infra.cdk.settings import EnvironmentSettings

_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "at": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integrationLatency",
    "workspace_id": "$context.authorizer.workspace_id",
    "actor": "$context.authorizer.actor",
    "error": "$context.error.responseType",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path. Open routes are for documentation, liveness, the console's files, signing in, and what
    carries a signature of its own."""

    path: str
    method: str
    is_open: bool = False


# As functions/collectors calls it.
WEBHOOK_PATH = "/v1/webhooks/{workspace}/{source}"
# NOTE: API Gateway takes the most specific path and only then looks for the method, so every path that exists beside
# a greedy one has its own ANY.
MANAGEMENT_ROUTES = (
    Route(path="/v1", method="ANY"),
    Route(path="/v1/{proxy+}", method="ANY"),
    Route(path="/v1/docs", method="ANY"),
    Route(path="/v1/docs", method="GET", is_open=True),
    Route(path="/v1/openapi.json", method="ANY"),
    Route(path="/v1/openapi.json", method="GET", is_open=True),
    Route(path="/v1/sessions", method="ANY"),
    Route(path="/v1/sessions", method="POST", is_open=True),
    Route(path="/v1/sessions/{proxy+}", method="ANY"),
    Route(path="/v1/sessions/refresh", method="ANY"),
    Route(path="/v1/sessions/refresh", method="POST", is_open=True),
    Route(path="/v1/endpoints", method="ANY"),
    Route(path="/v1/endpoints/{endpoint}", method="ANY"),
    Route(path="/v1/endpoints/{endpoint}/{proxy+}", method="ANY"),
    Route(path="/v1/endpoints/{endpoint}/predict", method="ANY"),
    Route(path="/v1/endpoints/{endpoint}/invocations", method="ANY"),
    Route(path="/v1/webhooks", method="ANY"),
    Route(path="/v1/webhooks/{workspace}", method="ANY"),
    Route(path=WEBHOOK_PATH, method="ANY"),
)
WEBHOOK_ROUTES = (Route(path=WEBHOOK_PATH, method="POST", is_open=True),)
CONSOLE_ROUTES = tuple(Route(path=path, method="ANY", is_open=True) for path in ("/", "/console", "/console/{proxy+}"))
INFERENCE_ROUTES = (
    Route(path="/v1/endpoints/{endpoint}/predict", method="POST"),
    Route(path="/v1/endpoints/{endpoint}/invocations", method="POST"),
    Route(path="/v2", method="ANY"),
    Route(path="/v2/{proxy+}", method="ANY"),
    Route(path="/v2/health", method="ANY"),
    Route(path="/v2/health/live", method="ANY"),
    Route(path="/v2/health/live", method="GET", is_open=True),
    Route(path="/v2/health/ready", method="ANY"),
    Route(path="/v2/health/ready", method="GET", is_open=True),
)


class HttpApi(apigateway.RestApi):
    """API Gateway in front of the management API and of predictions.

    Every body is binary to the gateway (`*/*`): inference clients send tensors without a content type, and text comes
    back as text whatever the type, because the functions say which answers are base64.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        management: lambda_.IFunction,
        predictions: lambda_.IFunction,
        webhooks: lambda_.IFunction,
        console: lambda_.IFunction,
        authorizer: lambda_.IFunction,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            rest_api_name=naming.API_NAME,
            description="AI Mass: /v1 management, /v2 Open Inference Protocol.",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            binary_media_types=["*/*"],
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.DESTROY,
            deploy_options=_stage(scope, settings),
        )
        # The stack's own output ApiUrl says the same under a name that lasts.
        self.node.try_remove_child("Endpoint")
        # NOTE: one of the type TOKEN sees the token alone, and not which of their workspaces a person means.
        self._authorizer = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            handler=authorizer,
            authorizer_name=naming.function("authorizer"),
            identity_sources=[apigateway.IdentitySource.header("Authorization")],
            # A revoked key must stop working at once.
            results_cache_ttl=Duration.seconds(0),
        )
        self._add_routes(MANAGEMENT_ROUTES, management)
        self._add_routes(INFERENCE_ROUTES, predictions)
        self._add_routes(WEBHOOK_ROUTES, webhooks)
        self._add_routes(CONSOLE_ROUTES, console)
        add_problem_responses(self)
        for tag in ("ms-custom-id", "_custom_id_"):
            Tags.of(self).add(tag, naming.API_LOCAL_ID, include_resource_types=["AWS::ApiGateway::RestApi"])

    def _add_routes(self, routes: Sequence[Route], function: lambda_.IFunction) -> None:
        integration = apigateway.LambdaIntegration(
            function, proxy=True, allow_test_invoke=False, scope_permission_to_method=False
        )
        for route in routes:
            resource = self.root.resource_for_path(route.path) if route.path != "/" else self.root
            if route.is_open:
                resource.add_method(route.method, integration, authorization_type=apigateway.AuthorizationType.NONE)
            else:
                resource.add_method(
                    route.method,
                    integration,
                    authorization_type=apigateway.AuthorizationType.CUSTOM,
                    authorizer=self._authorizer,
                )


def _stage(scope: Construct, settings: EnvironmentSettings) -> apigateway.StageOptions:
    access_log = logs.LogGroup(
        scope,
        "ApiAccessLog",
        log_group_name=f"/aws/apigateway/{naming.API_NAME}",
        retention=settings.log_retention,
        removal_policy=RemovalPolicy.DESTROY,
    )
    return apigateway.StageOptions(
        stage_name=naming.API_STAGE,
        throttling_rate_limit=settings.api_requests_per_second,
        throttling_burst_limit=settings.api_burst,
        logging_level=apigateway.MethodLoggingLevel.ERROR,
        data_trace_enabled=False,
        metrics_enabled=True,
        access_log_destination=apigateway.LogGroupLogDestination(access_log),
        access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
    )
