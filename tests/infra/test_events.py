"""What wakes which function."""

import json

import pytest

from aimass_core.domain.compute_states import to_training_job_name
from aimass_core.domain.costs import Budget, BudgetStatus
from aimass_core.domain.datasets import DatasetVersion, DatasetVersionStatus
from aimass_core.domain.endpoint_watching import AlarmStatus, EndpointWatch
from aimass_core.domain.endpoints import Endpoint, EndpointEvent, EndpointStatus
from aimass_core.domain.hosts import HOST_PREFIX
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.notification_channels import Delivery, DeliveryStatus
from aimass_core.domain.notifications import Notification, NotificationStatus
from aimass_core.domain.system import DeadLetterQueue
from aimass_core.services import endpoint_counters, tables
from infra.cdk import naming
from tests.infra.templates import Properties, Template, to_text


def _mapping_of(template: Template, function: str) -> dict[str, object]:
    """The one of the stream, where it has others."""
    found = [
        dict(item)
        for item in template.properties("AWS::Lambda::EventSourceMapping")
        if item["FunctionName"]["Ref"].startswith(function)
    ]
    return max(found, key=lambda item: "FilterCriteria" in item)


def test_dispatch_hears_of_jobs_that_begin_or_end_new_versions_tables_changed_endpoints_and_rollouts_only(
    application: Template,
) -> None:
    assert _heard_by(application, "Dispatch") == {
        *((Job.resource, status) for status in JobStatus if status is JobStatus.SUBMITTED or status.is_terminal),
        (DatasetVersion.resource, DatasetVersionStatus.READY),
        (Endpoint.resource, EndpointStatus.CREATING),
        (Endpoint.resource, EndpointStatus.UPDATING),
        (tables.RESOURCE, tables.PENDING),
        (endpoint_counters.ROLLOUT_RESOURCE, None),
    }


def test_notifications_hear_of_what_somebody_may_want_to_know(application: Template) -> None:
    assert _heard_by(application, "Notifications") == {
        *((Job.resource, status) for status in JobStatus if status.is_terminal),
        (DatasetVersion.resource, DatasetVersionStatus.READY),
        (DatasetVersion.resource, DatasetVersionStatus.REJECTED),
        (EndpointEvent.resource, None),
        *(
            (resource, status)
            for resource in (EndpointWatch.resource, Budget.resource)
            for status in (AlarmStatus.ALARM, AlarmStatus.OK, BudgetStatus.WARNED, BudgetStatus.SPENT)
        ),
        (Notification.resource, NotificationStatus.PENDING),
        (Delivery.resource, DeliveryStatus.PENDING),
    }


def test_the_stream_has_no_more_readers_than_dynamodb_serves_well(application: Template) -> None:
    mappings = application.properties("AWS::Lambda::EventSourceMapping")
    readers = [item["FunctionName"]["Ref"] for item in mappings if "FilterCriteria" in item]
    assert sorted(name.rstrip("0123456789ABCDEF") for name in readers) == ["Dispatch", "Notifications"]


def _heard_by(template: Template, function: str) -> set[tuple[str, str | None]]:
    """Resources and statuses; of rows that are new or have changed."""
    criteria = _mapping_of(template, function)["FilterCriteria"]
    assert isinstance(criteria, dict)
    patterns = [json.loads(item["Pattern"]) for item in criteria["Filters"]]
    assert all(pattern["eventName"] == ["INSERT", "MODIFY"] for pattern in patterns)
    return {
        (resource, status)
        for pattern in patterns
        for resource in pattern["dynamodb"]["NewImage"]["resource"]["S"]
        for status in pattern["dynamodb"]["NewImage"].get("status", {"S": [None]})["S"]
    }


@pytest.mark.parametrize("function", ["Dispatch", "Notifications"])
def test_j4_one_bad_row_does_not_hold_up_the_stream(application: Template, function: str) -> None:
    mapping = _mapping_of(application, function)
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 3
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["DestinationConfig"]
    # A job that is created while the stack is deployed must not be missed.
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_j3_only_failed_messages_come_back_to_the_ingest_queue(application: Template) -> None:
    mapping = _mapping_of(application, "Ingest")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # So many that come within a second are one version; more than ten need a window.
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (50, 1)


def test_a_message_is_not_delivered_again_while_it_is_worked_on(application: Template, stateful: Template) -> None:
    for template, function in ((stateful, "ingest"), (application, "notifications")):
        (queue,) = [item for item in template.properties("AWS::SQS::Queue") if "RedrivePolicy" in item]
        assert queue["VisibilityTimeout"] == 6 * application.function(function)["Timeout"]


def test_b6_scheduler_calls_the_tick_of_the_collectors_each_minute(application: Template) -> None:
    (schedule,) = application.properties("AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Target"]["Arn"]["Fn::GetAtt"][0].startswith("CollectorsTick")
    # The next tick does the same work.
    assert schedule["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}


def test_job_events_are_those_of_our_queues(application: Template) -> None:
    rule = _rule_of(application, "aws.batch")
    pattern = rule["EventPattern"]
    assert pattern["detail-type"] == ["Batch Job State Change", "Batch Job Queue Blocked"]
    queues = {to_text(queue).rpartition(":job-queue/")[2] for queue in pattern["detail"]["jobQueue"]}
    assert queues == set(naming.JOB_QUEUES)
    (target,) = rule["Targets"]
    assert target["DeadLetterConfig"]
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 5


def test_training_events_are_those_of_our_jobs(application: Template) -> None:
    rule = _rule_of(application, "aws.sagemaker", "SageMaker Training Job State Change")
    pattern = rule["EventPattern"]
    assert pattern["detail"] == {"TrainingJobName": [{"prefix": naming.TRAINING_JOB_PREFIX}]}
    assert to_training_job_name("ws_1", "job_1").startswith(naming.TRAINING_JOB_PREFIX)
    (target,) = rule["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0].startswith("JobEvents")
    assert target["DeadLetterConfig"]


def test_events_of_hosts_are_those_of_our_endpoints(application: Template) -> None:
    rule = _rule_of(application, "aws.sagemaker", "SageMaker Endpoint State Change")
    assert rule["EventPattern"]["detail"] == {"EndpointName": [{"prefix": naming.HOST_PREFIX}]}
    assert naming.HOST_PREFIX == HOST_PREFIX
    (target,) = rule["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0].startswith("Dispatch")


def _rule_of(template: Template, source: str, detail_type: str | None = None) -> Properties:
    patterns = [(item.get("EventPattern", {}), item) for item in template.properties("AWS::Events::Rule")]
    (rule,) = [
        item
        for pattern, item in patterns
        if pattern.get("source") == [source] and (detail_type is None or pattern["detail-type"] == [detail_type])
    ]
    return rule


def test_the_reconciler_runs_every_minute(application: Template) -> None:
    (rule,) = [item for item in application.properties("AWS::Events::Rule") if "ScheduleExpression" in item]
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert rule["Targets"][0]["Arn"]["Fn::GetAtt"][0].startswith("Reconciler")


def test_j4_nothing_that_wakes_a_function_loses_what_it_cannot_deliver(
    application: Template, stateful: Template
) -> None:
    for mapping in application.properties("AWS::Lambda::EventSourceMapping"):
        queue = next((item for item in stateful.properties("AWS::SQS::Queue") if "RedrivePolicy" in item), None)
        assert "DestinationConfig" in mapping or (queue and "Queue" in str(mapping["EventSourceArn"])), mapping
    for rule in application.properties("AWS::Events::Rule"):
        for target in rule["Targets"]:
            # What the clock wakes is woken again in a minute.
            assert target.get("DeadLetterConfig") or "ScheduleExpression" in rule, target
        assert rule["State"] == "ENABLED"


def test_j4_each_rule_and_bucket_may_call_its_target(application: Template) -> None:
    permitted = [str(item["SourceArn"]) for item in application.properties("AWS::Lambda::Permission")]
    for name in application.resources("AWS::Events::Rule"):
        assert [source for source in permitted if name in source], name


def test_j4_dead_letters_wait_for_two_weeks(application: Template, stateful: Template) -> None:
    queues = [*application.properties("AWS::SQS::Queue"), *stateful.properties("AWS::SQS::Queue")]
    dead_letters = [queue for queue in queues if queue["QueueName"].endswith("-dead-letters")]
    assert len(dead_letters) == 4
    assert {queue["MessageRetentionPeriod"] for queue in dead_letters} == {14 * 24 * 3_600}


def test_serving_has_alarms_that_stay_quiet_without_data(application: Template) -> None:
    alarms = _alarms(application)
    assert {"predictions-errors", "predictions-throttles", "predictions-slow", "endpoint-limits"} <= alarms.keys()
    loud = {name for name, alarm in alarms.items() if alarm["TreatMissingData"] != "notBreaching"}
    # A reconciler that does not run has no data to tell of.
    assert loud == {"reconciler-silent"}
    (passed,) = application.properties("AWS::Logs::MetricFilter")
    assert passed["MetricTransformations"][0]["MetricName"] == "EndpointLimitsPassed"
    assert '"endpoint alarm"' in passed["FilterPattern"]


def test_j3_each_dead_letter_raises_an_alarm(application: Template, stateful: Template) -> None:
    alarms = _alarms(application)
    for queue in DeadLetterQueue:
        alarm = alarms[f"{queue}-dead-letters"]
        assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 0)
        assert alarm["DatapointsToAlarm"] == 1
    queues = [*application.properties("AWS::SQS::Queue"), *stateful.properties("AWS::SQS::Queue")]
    names = {str(queue["QueueName"]) for queue in queues if str(queue["QueueName"]).endswith("-dead-letters")}
    assert names == {naming.dead_letters(queue) for queue in DeadLetterQueue}


def test_j4_events_of_a_function_that_fails_are_kept(application: Template) -> None:
    kept = {
        item["FunctionName"]["Ref"]: item["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for item in application.properties("AWS::Lambda::EventInvokeConfig")
    }
    for rule in application.properties("AWS::Events::Rule"):
        for target in rule["Targets"]:
            function = target["Arn"]["Fn::GetAtt"][0]
            # NOTE: the queue of a rule's target keeps only what never reached the function.
            assert "ScheduleExpression" in rule or kept[function] == target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]


def test_j4_each_function_that_fails_raises_an_alarm(application: Template) -> None:
    watched = {name.removesuffix("-errors") for name in _alarms(application) if name.endswith("-errors")}
    assert {naming.function(name) for name in watched} == _functions(application)


def test_the_dashboard_shows_every_function_and_queue(application: Template) -> None:
    (dashboard,) = application.properties("AWS::CloudWatch::Dashboard")
    body = to_text(dashboard["DashboardBody"])
    functions = json.loads(application.function("api")["Environment"]["Variables"]["AIMASS_FUNCTIONS"])
    assert set(functions.values()) == _functions(application)
    for name in functions:
        assert body.count(f'"label":"{name}"') >= 4, name
    for queue in DeadLetterQueue:
        assert f"{queue}, dead letters" in body


def _alarms(template: Template) -> dict[str, Properties]:
    return {
        str(alarm["AlarmName"]).removeprefix(naming.ALARM_PREFIX): alarm
        for alarm in template.properties("AWS::CloudWatch::Alarm")
    }


def _functions(template: Template) -> set[str]:
    return {str(item["FunctionName"]) for item in template.properties("AWS::Lambda::Function")}
