"""CloudFormation: properties that the emulator drops, or stores in a form that its own service does not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import apigateway, lambda_svc
from ministack.services.cloudformation import provisioners

from aimass_local.emulator.contract import require


def patch_templates() -> None:
    """Applies the patches of this module."""
    _after("AWS::Lambda::Function", _keep_function_properties)
    _after("AWS::ApiGatewayV2::Api", _keep_cors_configuration)


def _after(resource_type: str, keep: Callable[[str, dict[str, Any]], None]) -> None:
    handlers = provisioners._RESOURCE_HANDLERS.get(resource_type, {})
    require({"create", "update"} <= set(handlers), f"CloudFormation's handler of {resource_type} is not as expected")
    create, update = handlers["create"], handlers["update"]

    def create_and_keep(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        result = create(logical_id, properties, stack)
        keep(result[0], properties)
        return result

    def update_and_keep(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **named: Any) -> Any:
        result = update(physical_id, old, new, *rest, **named)
        keep(result[0], new)
        return result

    handlers["create"], handlers["update"] = create_and_keep, update_and_keep


def _keep_function_properties(name: str, properties: dict[str, Any]) -> None:
    function = lambda_svc._functions[name]
    reserved = properties.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if reserved is None else int(reserved)
    if properties.get("DeadLetterConfig"):
        function["config"]["DeadLetterConfig"] = properties["DeadLetterConfig"]
    else:
        function["config"].pop("DeadLetterConfig", None)


def _keep_cors_configuration(api_id: str, properties: dict[str, Any]) -> None:
    cors = properties.get("CorsConfiguration")
    if cors:
        apigateway._apis[api_id]["corsConfiguration"] = {key[0].lower() + key[1:]: value for key, value in cors.items()}
