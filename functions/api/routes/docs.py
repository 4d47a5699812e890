"""/v1/openapi.json and /v1/docs: open to everybody, since they hold no data."""

from aws_lambda_powertools.event_handler import Response, content_types

from functions.api import openapi
from functions.api.routing import ResourceRouter

router = ResourceRouter("docs")


@router.operation("GET", "/v1/openapi.json", role=None, summary="Read this description")
def get_openapi() -> Response[str]:
    """OpenAPI 3.1."""
    return Response(
        status_code=200, content_type=content_types.APPLICATION_JSON, body=openapi.document_json(router.resolver)
    )


@router.operation("GET", "/v1/docs", role=None, summary="Read this description in a browser", produces="text/html")
def get_docs() -> Response[str]:
    """Swagger UI; nothing is loaded from elsewhere."""
    return Response(status_code=200, content_type=content_types.TEXT_HTML, body=openapi.swagger_html(router.resolver))
