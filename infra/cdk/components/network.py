"""The network in which jobs run."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

# What hosts, containers and our code in them ask of AWS; S3 and DynamoDB have endpoints that are free.
_INTERFACES = ("ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "secretsmanager", "sqs")


class JobNetwork(ec2.Vpc):
    """Two subnets and nobody outside who may connect to them. `job_subnets` are those of machines.

    Public ones by default: there is no NAT gateway, so an idle platform costs nothing. Data goes through gateway
    endpoints, which are free, and does not leave AWS's network.
    """

    def __init__(self, scope: Construct, construct_id: str, *, is_private: bool) -> None:
        kind = ec2.SubnetType.PRIVATE_WITH_EGRESS if is_private else ec2.SubnetType.PUBLIC
        subnets = [ec2.SubnetConfiguration(name="jobs", subnet_type=kind, cidr_mask=20)]
        if is_private:
            subnets.append(ec2.SubnetConfiguration(name="egress", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=28))
        super().__init__(
            scope,
            construct_id,
            max_azs=2,
            nat_gateways=1 if is_private else 0,
            subnet_configuration=subnets,
            # The custom resource that would empty the default group may change any group of the account; ours is used.
            restrict_default_security_group=False,
        )
        self.job_subnets = ec2.SubnetSelection(subnet_group_name="jobs")
        self.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        self.job_security_group = ec2.SecurityGroup(
            self, "Jobs", vpc=self, description="AI Mass jobs: nothing comes in from outside, everything may go out."
        )
        # Nothing but jobs is in this network.
        self.job_security_group.add_ingress_rule(
            ec2.Peer.ipv4(ec2.Vpc.DEFAULT_CIDR_RANGE), ec2.Port.all_tcp(), "Machines that train together"
        )
        for name in _INTERFACES if is_private else ():
            self.add_interface_endpoint(
                "".join(part.capitalize() for part in name.replace("-", ".").split(".")),
                service=ec2.InterfaceVpcEndpointAwsService(name),
                subnets=self.job_subnets,
                security_groups=[self.job_security_group],
                open=False,
            )
