"""A key of the account's own for everything that is kept."""

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

_SERVICES = ("dynamodb", "s3", "secretsmanager")


class OwnKey(kms.Key):
    """Used by whoever may use what it encrypts, and only through the services that keep it: as the keys that AWS
    manages, but it can be switched off, and its use is in CloudTrail. No role has to name it."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            description="AI Mass: tables, buckets and secrets.",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        services = [f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}" for service in _SERVICES]
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="WhoMayUseWhatItEncrypts",
                principals=[iam.AnyPrincipal()],
                actions=[
                    "kms:CreateGrant",
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey*",
                    "kms:ReEncrypt*",
                ],
                resources=["*"],
                conditions={
                    "StringEquals": {"kms:CallerAccount": Aws.ACCOUNT_ID, "kms:ViaService": services},
                },
            )
        )
