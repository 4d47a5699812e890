"""Accounts of people who sign in: a Cognito user pool, and the one client that asks it, which is the API."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.cdk import naming

# As aimass_core.services.sessions has them for sessions of its own; a test compares both.
ACCESS = Duration.minutes(15)
SESSION = Duration.hours(12)


class UserPool(cognito.UserPool):
    """Nobody signs up by themselves: accounts come to be with an invitation, and say nothing of rights."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            user_pool_name=naming.USER_POOL,
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            auto_verify=cognito.AutoVerifiedAttrs(email=False),
            sign_in_case_sensitive=False,
            account_recovery=cognito.AccountRecovery.NONE,
            # Each person turns theirs on by themselves.
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=False,
                temp_password_validity=Duration.days(7),
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        # Passwords come through the API, which counts guesses; the client has no secret, since IAM says who may ask.
        self.client = self.add_client(
            "Client",
            user_pool_client_name=naming.USER_POOL,
            generate_secret=False,
            disable_o_auth=True,
            auth_flows=cognito.AuthFlow(admin_user_password=True),
            access_token_validity=ACCESS,
            id_token_validity=ACCESS,
            refresh_token_validity=SESSION,
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
        )
