"""The function that serves the console."""

from aws_cdk import Duration
from constructs import Construct

from aimass_core.settings import ConsoleSettings
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage


class Console(PlatformFunction):
    """Holds files, and may do nothing: the page asks the API, as whoever is signed in."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        super().__init__(
            scope,
            construct_id,
            name="console",
            description="Serves the console.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.seconds(10),
            environment=environment_of(
                ConsoleSettings,
                {"landing_bucket": storage.landing.bucket_name, "lake_bucket": storage.lake.bucket_name},
            ),
            statements=[],
        )
