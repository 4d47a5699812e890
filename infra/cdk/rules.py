"""AWS's checks of the whole app (cdk-nag, AwsSolutions), and each finding that we decided to live with.

An acknowledgement names the construct as well as the rule, so that the next violation elsewhere still fails.
"""

from dataclasses import dataclass
from functools import reduce

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from constructs import Construct, IConstruct

from infra.cdk import naming

_API = f"{naming.APPLICATION_STACK}/HttpApi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """One rule that does not hold below some constructs, and why that is right."""

    rule: str
    paths: tuple[str, ...]
    reason: str


ACKNOWLEDGEMENTS = (
    Acknowledgement(
        rule="AwsSolutions-S1",
        paths=(f"{naming.STATEFUL_STACK}/Landing", f"{naming.STATEFUL_STACK}/Lake"),
        reason="Every change goes through the API, which keeps an audit trail; CloudTrail data events are the "
        "account's decision and record more than server access logs.",
    ),
    Acknowledgement(
        rule="AwsSolutions-SMG4",
        paths=(f"{naming.STATEFUL_STACK}/CursorSecret",),
        reason="It signs list cursors that live for minutes and grant nothing; a rotation would break lists at work.",
    ),
    Acknowledgement(
        rule="AwsSolutions-VPC7",
        paths=(f"{naming.BATCH_STACK}/Network",),
        reason="Nothing listens in this network: its one security group lets nobody in.",
    ),
    Acknowledgement(
        rule="AwsSolutions-IAM4",
        paths=(f"{_API}/CloudWatchRole", f"{naming.BATCH_STACK}/Compute/Instances/InstanceProfileRole"),
        reason="AWS's own services act through these two roles, and AWS says which rights they need.",
    ),
    Acknowledgement(
        rule="AwsSolutions-IAM5",
        paths=(
            *(
                f"{naming.APPLICATION_STACK}/{name}Role"
                for name in ("Api", "Authorizer", "Dispatch", "Ingest", "JobEvents", "Predictions", "Reconciler")
            ),
            f"{naming.BATCH_STACK}/JobRole",
            f"{naming.BATCH_STACK}/Container/ExecutionRole",
        ),
        reason="Wildcards stand for keys below a prefix, log streams, revisions and ids that do not exist yet, and for "
        "the two Batch actions that know no resource. tests/infra/test_permissions.py lists every one.",
    ),
    Acknowledgement(
        rule="AwsSolutions-L1",
        paths=(naming.APPLICATION_STACK,),
        reason="The wheels in the layers are built and tested for this Python.",
    ),
    Acknowledgement(
        rule="AwsSolutions-SQS3",
        paths=tuple(f"{naming.APPLICATION_STACK}/{name}DeadLetters" for name in ("Dispatch", "JobEvents")),
        reason="They are dead-letter queues, of a stream mapping and of an event rule.",
    ),
    Acknowledgement(
        rule="AwsSolutions-APIG2",
        paths=(_API,),
        reason="The functions validate every request against the models that the OpenAPI document is made from.",
    ),
    Acknowledgement(
        rule="AwsSolutions-APIG3",
        paths=(_API,),
        reason="A web ACL has a monthly price; accounts that need one attach it to the stage.",
    ),
    Acknowledgement(
        rule="AwsSolutions-COG4",
        paths=(_API,),
        reason="Callers are programs with API keys: a Lambda authorizer closes the routes.",
    ),
    Acknowledgement(
        rule="AwsSolutions-APIG4",
        paths=tuple(
            f"{_API}/Default{path}/GET"
            for path in ("/v1/docs", "/v1/openapi.json", "/v2/health/live", "/v2/health/ready")
        ),
        reason="Documentation and liveness carry no data, and browsers and load balancers have no key.",
    ),
)


def add_rules(app: cdk.App) -> None:
    """Makes the synthesis fail on whatever is not acknowledged.

    Raises:
        ValueError: an acknowledgement names a construct that does not exist.
    """
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    for acknowledgement in ACKNOWLEDGEMENTS:
        for path in acknowledgement.paths:
            cdk.Validations.of(_find(app, path)).acknowledge(id=acknowledgement.rule, reason=acknowledgement.reason)


def _find(app: Construct, path: str) -> IConstruct:
    def child(parent: IConstruct, name: str) -> IConstruct:
        found = parent.node.try_find_child(name)
        if found is None:
            raise ValueError(f"no construct {path!r}: {name!r} is not in {parent.node.path or 'the app'!r}")
        return found

    return reduce(child, path.split("/"), app)
