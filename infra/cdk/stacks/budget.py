"""What the account may cost, in a stack of its own: no emulator has budgets."""

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from constructs import Construct

from infra.cdk import naming
from infra.cdk.settings import EnvironmentSettings

_WARN_PERCENT = 80


class BudgetStack(Stack):
    """Writes to somebody when most of the month's budget is spent, and when AWS expects more than all of it to be.

    It stops nothing: that is what budgets of workspaces do (aimass_core.domain.settings).
    """

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings) -> None:
        super().__init__(scope, naming.BUDGET_STACK, description="AI Mass: what the account may cost.")
        budgets.CfnBudget(
            self,
            "Month",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name="aimass",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=settings.monthly_budget_usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                _write_to(settings.budget_mail, "ACTUAL", _WARN_PERCENT),
                _write_to(settings.budget_mail, "FORECASTED", 100),
            ],
        )


def _write_to(address: str, kind: str, percent: int) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
    return budgets.CfnBudget.NotificationWithSubscribersProperty(
        notification=budgets.CfnBudget.NotificationProperty(
            comparison_operator="GREATER_THAN", notification_type=kind, threshold=percent, threshold_type="PERCENTAGE"
        ),
        subscribers=[budgets.CfnBudget.SubscriberProperty(address=address, subscription_type="EMAIL")],
    )
