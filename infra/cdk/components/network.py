"""The network in which jobs run."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


class JobNetwork(ec2.Vpc):
    """Two public subnets and nobody outside who may connect to them: no NAT gateway, so an idle platform costs nothing.

    Data goes through gateway endpoints, which are free, and does not leave AWS's network.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="jobs", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=20)
            ],
            # The custom resource that would empty the default group may change any group of the account; ours is used.
            restrict_default_security_group=False,
        )
        self.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        self.job_security_group = ec2.SecurityGroup(
            self, "Jobs", vpc=self, description="AI Mass jobs: nothing comes in from outside, everything may go out."
        )
        # Nothing but jobs is in this network.
        self.job_security_group.add_ingress_rule(
            ec2.Peer.ipv4(ec2.Vpc.DEFAULT_CIDR_RANGE), ec2.Port.all_tcp(), "Machines that train together"
        )
