"""Accounts of people, in a stack of its own: beside LocalStack's free plan there is no Cognito."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.user_pool import UserPool


class IdentityStack(Stack):
    """The user pool, which outlives the stack."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, naming.IDENTITY_STACK, description="AI Mass: accounts of people.")
        self.pool = UserPool(self, "UserPool")
        CfnOutput(self, "UserPoolId", value=self.pool.user_pool_id)
        CfnOutput(self, "UserPoolClientId", value=self.pool.client.user_pool_client_id)
