"""What CloudWatch tells of serving: the function's own faults, and limits of endpoints that users have set."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cdk import naming

_P95_LIMIT = Duration.seconds(10)


class ServingAlarms(Construct):
    """Nobody is written to: whoever runs the platform subscribes to them.

    Args:
        reconciler: it logs each endpoint that passes a limit (aimass_core.services.endpoint_watches).
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, predictions: lambda_.IFunction, reconciler: lambda_.Function
    ) -> None:
        super().__init__(scope, construct_id)
        minute = Duration.minutes(1)
        self._alarm("Errors", predictions.metric_errors(period=minute), "The predictions function ends with an error.")
        self._alarm("Throttles", predictions.metric_throttles(period=minute), "Predictions are throttled.")
        self._alarm(
            "Slow",
            predictions.metric_duration(period=minute, statistic="p95"),
            "One prediction in twenty takes more than ten seconds.",
            threshold=_P95_LIMIT.to_milliseconds(),
        )
        passed = logs.MetricFilter(
            self,
            "LimitsPassed",
            log_group=reconciler.log_group,
            filter_pattern=logs.FilterPattern.all(
                logs.FilterPattern.string_value("$.message", "=", "endpoint alarm"),
                logs.FilterPattern.string_value("$.status", "=", "ALARM"),
            ),
            metric_namespace=naming.METRICS,
            metric_name="EndpointLimitsPassed",
            metric_value="1",
        )
        metric = passed.metric(statistic="sum", period=minute)
        self._alarm("Limits", metric, "An endpoint passes a limit that somebody has set.", datapoints=1)

    def _alarm(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        words: str,
        *,
        threshold: float = 0,
        datapoints: int = 3,
    ) -> None:
        cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            alarm_description=words,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=threshold,
            evaluation_periods=5,
            datapoints_to_alarm=datapoints,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
