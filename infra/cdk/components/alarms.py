"""What CloudWatch tells: faults of functions, events that nobody could process, and limits that users have set.

Nobody is written to: whoever runs the platform subscribes to them.
"""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming

_SLOW_LIMIT = Duration.seconds(10)
_OLDEST_LIMIT = Duration.minutes(15)
MINUTE = Duration.minutes(1)


class Alarms(Construct):
    """Alarms with names of ours, by which the API finds those that are raised. `alarms` are all of them."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.alarms: list[cloudwatch.Alarm] = []

    def raise_above(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        name: str,
        words: str,
        *,
        limit: float = 0,
        minutes: int = 3,
    ) -> None:
        """Where so many of five minutes are above a limit. No data is no reason."""
        self._add(
            construct_id,
            metric=metric,
            name=name,
            words=words,
            threshold=limit,
            datapoints_to_alarm=minutes,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def raise_when_silent(self, construct_id: str, metric: cloudwatch.IMetric, name: str, words: str) -> None:
        """Where there was nothing in five minutes."""
        self._add(
            construct_id,
            metric=metric,
            name=name,
            words=words,
            threshold=1,
            datapoints_to_alarm=5,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _add(
        self,
        construct_id: str,
        *,
        metric: cloudwatch.IMetric,
        name: str,
        words: str,
        threshold: float,
        datapoints_to_alarm: int,
        comparison_operator: cloudwatch.ComparisonOperator,
        treat_missing_data: cloudwatch.TreatMissingData,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=f"{naming.ALARM_PREFIX}{name}",
            alarm_description=words,
            metric=metric,
            threshold=threshold,
            evaluation_periods=5,
            datapoints_to_alarm=datapoints_to_alarm,
            comparison_operator=comparison_operator,
            treat_missing_data=treat_missing_data,
        )
        self.alarms.append(alarm)


class ServingAlarms(Alarms):
    """Of predictions.

    Args:
        reconciler: it logs each endpoint that passes a limit (aimass_core.services.endpoint_watches).
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, predictions: lambda_.IFunction, reconciler: lambda_.Function
    ) -> None:
        super().__init__(scope, construct_id)
        self.raise_above(
            "Errors",
            predictions.metric_errors(period=MINUTE),
            "predictions-errors",
            "The predictions function ends with an error.",
        )
        self.raise_above(
            "Throttles",
            predictions.metric_throttles(period=MINUTE),
            "predictions-throttles",
            "Predictions are throttled.",
        )
        self.raise_above(
            "Slow",
            predictions.metric_duration(period=MINUTE, statistic="p95"),
            "predictions-slow",
            "One prediction in twenty takes more than ten seconds.",
            limit=_SLOW_LIMIT.to_milliseconds(),
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
        self.raise_above(
            "Limits",
            passed.metric(statistic="sum", period=MINUTE),
            "endpoint-limits",
            "An endpoint passes a limit that somebody has set.",
            minutes=1,
        )


class OperationsAlarms(Alarms):
    """Of everything behind the API.

    Args:
        functions: by the names that they have in functions/.
        dead_letters: by the names of those whose events they keep.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[str, lambda_.IFunction],
        dead_letters: Mapping[str, sqs.IQueue],
        ingest_queue: sqs.IQueue,
        api: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, construct_id)
        for name, function in functions.items():
            self.raise_above(
                f"Errors-{name}",
                function.metric_errors(period=MINUTE),
                f"{name}-errors",
                f"The function {name} ends with an error.",
            )
        for name, queue in dead_letters.items():
            self.raise_above(
                f"DeadLetters-{name}",
                queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="max"),
                f"{name}-dead-letters",
                f"Events of {name} could not be processed: aimass system dead-letters {name}",
                minutes=1,
            )
        self.raise_above(
            "IngestWaits",
            ingest_queue.metric_approximate_age_of_oldest_message(period=MINUTE),
            "ingest-waits",
            "A file has waited for more than a quarter of an hour to be taken in.",
            limit=_OLDEST_LIMIT.to_seconds(),
        )
        self.raise_above(
            "ApiFaults",
            api.metric_server_error(period=MINUTE, statistic="sum"),
            "api-faults",
            "The API answers with faults of its own.",
        )
        self.raise_above(
            "ApiSlow",
            api.metric_latency(period=MINUTE, statistic="p99"),
            "api-slow",
            "One answer of the API in a hundred takes more than ten seconds.",
            limit=_SLOW_LIMIT.to_milliseconds(),
        )
        self.raise_when_silent(
            "ReconcilerSilent",
            functions["reconciler"].metric_invocations(period=MINUTE),
            "reconciler-silent",
            "The reconciler has not run for five minutes: what an event misses stays as it is.",
        )
