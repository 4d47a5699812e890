"""The function that turns an API key into workspace and role."""

from aws_cdk import Duration
from constructs import Construct

from aimass_core.settings import AuthorizerSettings
from infra.cdk.components import permissions as allow
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage


class Authorizer(PlatformFunction):
    """Reads the registry and nothing else."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        super().__init__(
            scope,
            construct_id,
            name="authorizer",
            description="API keys -> workspace and role.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.seconds(10),
            environment=environment_of(AuthorizerSettings, {"registry_table": storage.registry.table_name}),
            statements=[allow.read_registry(storage.registry)],
        )
