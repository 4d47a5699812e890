"""The queue between the landing bucket and ingest."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.dead_letters import DeadLetterQueue

# Lambda's advice: six times the timeout of the function that reads the queue.
INGEST_TIMEOUT = Duration.seconds(300)
_VISIBILITY_TIMEOUT = Duration.seconds(1_800)
_MAX_RECEIVE_COUNT = 5


class IngestQueue(Construct):
    """New objects and our own messages wait here; what fails five times goes to the dead-letter queue."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", name="ingest")
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=naming.INGEST_QUEUE,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            visibility_timeout=_VISIBILITY_TIMEOUT,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_MAX_RECEIVE_COUNT),
        )
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="BucketsOfThisAccount",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )

    @property
    def policy(self) -> Construct:
        """The queue's policy, which must exist before a bucket can name the queue."""
        policy = self.queue.node.find_child("Policy")
        assert isinstance(policy, Construct)  # noqa: S101 - a fact of the L2 construct
        return policy
