"""One page of CloudWatch with what the platform does."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.alarms import MINUTE

_WIDTH = 24


class Dashboard(cloudwatch.Dashboard):
    """Alarms first; then requests, functions, and what waits.

    Args:
        functions: by the names that they have in functions/.
        dead_letters: by the names of those whose events they keep.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarms: Sequence[cloudwatch.IAlarm],
        api: apigateway.RestApi,
        functions: Mapping[str, lambda_.IFunction],
        ingest_queue: sqs.IQueue,
        dead_letters: Mapping[str, sqs.IQueue],
    ) -> None:
        latency = [api.metric_latency(period=MINUTE, statistic=each, label=each) for each in ("p50", "p95", "p99")]
        answers = {
            "all": api.metric_count(period=MINUTE, statistic="sum", label="all"),
            "4xx": api.metric_client_error(period=MINUTE, statistic="sum", label="4xx"),
            "5xx": api.metric_server_error(period=MINUTE, statistic="sum", label="5xx"),
        }
        waiting = [
            ingest_queue.metric_approximate_number_of_messages_visible(period=MINUTE, label="ingest"),
            *(
                queue.metric_approximate_number_of_messages_visible(period=MINUTE, label=f"{name}, dead letters")
                for name, queue in dead_letters.items()
            ),
        ]
        each = functions.items()
        super().__init__(
            scope,
            construct_id,
            dashboard_name=naming.DASHBOARD,
            widgets=[
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=_WIDTH)],
                [_graph("Answers of the API", list(answers.values())), _graph("Latency of the API, ms", latency)],
                [
                    _graph("Invocations", [f.metric_invocations(period=MINUTE, label=name) for name, f in each]),
                    _graph("Errors", [f.metric_errors(period=MINUTE, label=name) for name, f in each]),
                ],
                [
                    _graph(
                        "95th percentile of duration, ms",
                        [f.metric_duration(period=MINUTE, statistic="p95", label=name) for name, f in each],
                    ),
                    _graph("Throttles", [f.metric_throttles(period=MINUTE, label=name) for name, f in each]),
                ],
                [
                    _graph("Messages that wait", waiting),
                    _graph(
                        "Age of the oldest file that waits, s",
                        [ingest_queue.metric_approximate_age_of_oldest_message(period=MINUTE, label="ingest")],
                    ),
                ],
            ],
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH // 2)
