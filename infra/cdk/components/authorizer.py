"""The function that turns an API key or a session into workspace and role."""

from aws_cdk import Duration
from constructs import Construct

from aimass_core.settings import AuthorizerSettings
from infra.cdk.components import permissions as allow
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage
from infra.cdk.components.user_pool import UserPool


class Authorizer(PlatformFunction):
    """Reads the registry and nothing else: the keys of the user pool are public."""

    def __init__(
        self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage, pool: UserPool
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name="authorizer",
            description="API keys and sessions -> workspace and role.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.seconds(10),
            environment=environment_of(
                AuthorizerSettings,
                {
                    "registry_table": storage.registry.table_name,
                    "user_pool_id": pool.user_pool_id,
                    "user_pool_client_id": pool.client.user_pool_client_id,
                },
            ),
            statements=[allow.read_registry(storage.registry)],
        )
