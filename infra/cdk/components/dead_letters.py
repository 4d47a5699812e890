"""Queues for what could not be processed."""

import json

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.assets import ALL_FUNCTIONS

# As aimass_core.domain.system.DeadLetterQueue names them; a test compares both.
DEAD_LETTERS = ("ingest", "dispatch", "job_events", "notifications")


def dead_letter_variables() -> dict[str, str]:
    """Of who looks at them: the queues, and the functions that a message may have come from, by their short names."""
    return {
        "functions": json.dumps({name: naming.function(name) for name in ALL_FUNCTIONS}),
        "dead_letter_queues": json.dumps({name: naming.dead_letters(name) for name in DEAD_LETTERS}),
    }


class DeadLetterQueue(sqs.Queue):
    """Keeps failed events for two weeks, for people to look at; the reconciler heals what they were about."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str) -> None:
        super().__init__(
            scope,
            construct_id,
            queue_name=naming.dead_letters(name),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
