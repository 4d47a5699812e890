"""Makes the first workspace of a deployment and prints its admin key: `python -m infra.first_workspace team`.

Works once, with the credentials of whoever deploys: nothing that callers can reach makes a first key.
"""

import argparse
import sys

import boto3

from aimass_core import bootstrap
from aimass_core.errors import ConflictError
from aimass_core.services import workspaces
from aimass_core.settings import StorageSettings
from infra.cdk import naming

_OUTPUTS = {
    "registry_table": "RegistryTableName",
    "studies_table": "StudiesTableName",
    "landing_bucket": "LandingBucketName",
    "lake_bucket": "LakeBucketName",
}


def main() -> int:
    """The key goes to stdout, and is shown never again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the workspace")
    arguments = parser.parse_args()
    stack = boto3.client("cloudformation").describe_stacks(StackName=naming.STATEFUL_STACK)["Stacks"][0]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
    settings = StorageSettings(**{field: outputs[name] for field, name in _OUTPUTS.items()})
    try:
        workspace, secret = workspaces.create_first(bootstrap.build_ports(settings), name=arguments.name)
    except ConflictError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stderr.write(f"Admin key of workspace {workspace.name}, shown this once:\n")
    sys.stdout.write(f"{secret}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
