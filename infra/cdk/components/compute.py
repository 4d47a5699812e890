"""AWS Batch: where jobs wait and the machines they run on."""

from collections.abc import Sequence

from aws_cdk import Size
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.network import JobNetwork
from infra.cdk.settings import EnvironmentSettings

_DISK_GIB = 100
_ROOT_DEVICE = "/dev/xvda"
# Of queues that share machines the higher goes first.
_FIRST, _BACKGROUND = 10, 1


class JobCompute(Construct):
    """Instances that Batch starts for waiting jobs and ends when none waits, behind queues.

    Queues of one machine try spot instances first where the settings say so, and those on demand where there are none.
    Those of several machines, side by side in the network, have on demand alone, as Batch wants it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, network: JobNetwork, settings: EnvironmentSettings
    ) -> None:
        super().__init__(scope, construct_id)
        self._network, self._settings = network, settings
        self._role = iam.Role(
            self,
            "InstanceRole",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description="What the host of containers does for them.",
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonEC2ContainerServiceforEC2Role")
            ],
        )
        self._disk = _build_launch_template(self, "LaunchTemplate")
        # NOTE: the first keep their ids from when there were no others: no other id can take a name over.
        self.queues = [
            *self._build_queues("", naming.JOB_QUEUE, naming.BACKGROUND_JOB_QUEUE, is_gpu=False),
            *self._build_queues("Gpu", naming.GPU_JOB_QUEUE, naming.GPU_BACKGROUND_JOB_QUEUE, is_gpu=True),
            self._build_queue("NodesQueue", naming.NODES_JOB_QUEUE, _FIRST, [self._build_nodes("Nodes", is_gpu=False)]),
            self._build_queue(
                "GpuNodesQueue", naming.GPU_NODES_JOB_QUEUE, _FIRST, [self._build_nodes("GpuNodes", is_gpu=True)]
            ),
        ]

    def _build_queues(self, kind: str, name: str, background: str, *, is_gpu: bool) -> list[batch.JobQueue]:
        kinds = (f"{kind}Spot", True), (f"{kind}OnDemand", False)
        machines = [
            self._build_machines(construct_id, is_gpu=is_gpu, is_spot=is_spot)
            for construct_id, is_spot in (kinds if self._settings.batch_on_spot else kinds[1:])
        ]
        return [
            self._build_queue(f"{kind}Queue", name, _FIRST, machines),
            self._build_queue(f"{kind}BackgroundQueue", background, _BACKGROUND, machines),
        ]

    def _build_queue(
        self, construct_id: str, name: str, priority: int, machines: Sequence[batch.IComputeEnvironment]
    ) -> batch.JobQueue:
        return batch.JobQueue(
            self,
            construct_id,
            job_queue_name=name,
            priority=priority,
            compute_environments=[
                batch.OrderedComputeEnvironment(compute_environment=each, order=order)
                for order, each in enumerate(machines, start=1)
            ],
        )

    def _build_nodes(self, construct_id: str, *, is_gpu: bool) -> batch.ManagedEc2EcsComputeEnvironment:
        """Close to each other, where the environment knows of that; with EFA where their type has it."""
        placement, template, types = None, None, None
        if self._settings.batch_nodes_placed:
            cluster = ec2.PlacementGroupStrategy.CLUSTER
            placement = ec2.PlacementGroup(self, f"{construct_id}Placement", strategy=cluster)
        if is_gpu and self._settings.batch_efa_types:
            types = self._settings.batch_efa_types
            template = _build_launch_template(self, f"{construct_id}LaunchTemplate")
            _add_efa(template, self._network)
        return self._build_machines(
            construct_id,
            is_gpu=is_gpu,
            is_spot=False,
            template=template,
            placement=placement,
            types=types,
        )

    def _build_machines(
        self,
        construct_id: str,
        *,
        is_gpu: bool,
        is_spot: bool,
        template: ec2.LaunchTemplate | None = None,
        placement: ec2.PlacementGroup | None = None,
        types: Sequence[str] | None = None,
    ) -> batch.ManagedEc2EcsComputeEnvironment:
        names = types or (self._settings.batch_gpu_types if is_gpu else ())
        image = batch.EcsMachineImageType.ECS_AL2023_NVIDIA if is_gpu else batch.EcsMachineImageType.ECS_AL2023
        return batch.ManagedEc2EcsComputeEnvironment(
            self,
            construct_id,
            vpc=self._network,
            vpc_subnets=self._network.job_subnets,
            security_groups=[self._network.job_security_group],
            instance_role=self._role,
            images=[batch.EcsMachineImage(image_type=image)],
            launch_template=template or self._disk,
            instance_classes=[ec2.InstanceClass[name.upper()] for name in names if "." not in name] or None,
            instance_types=[ec2.InstanceType(name) for name in names if "." in name] or None,
            use_optimal_instance_classes=not names,
            placement_group=placement,
            minv_cpus=0,
            maxv_cpus=self._settings.batch_max_vcpus,
            spot=is_spot,
            allocation_strategy=(
                batch.AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED
                if is_spot
                else batch.AllocationStrategy.BEST_FIT_PROGRESSIVE
            ),
            update_to_latest_image_version=True,
        )


def _build_launch_template(scope: Construct, construct_id: str) -> ec2.LaunchTemplate:
    """Room for data sets, and an instance role that containers cannot take over: hop limit 1 stops at the host."""
    return ec2.LaunchTemplate(
        scope,
        construct_id,
        require_imdsv2=True,
        http_put_response_hop_limit=1,
        block_devices=[
            ec2.BlockDevice(
                device_name=_ROOT_DEVICE,
                volume=ec2.BlockDeviceVolume.ebs(
                    int(Size.gibibytes(_DISK_GIB).to_gibibytes()),
                    encrypted=True,
                    volume_type=ec2.EbsDeviceVolumeType.GP3,
                ),
            )
        ],
    )


def _add_efa(template: ec2.LaunchTemplate, network: JobNetwork) -> None:
    """The machines' one interface, by which NCCL reaches the others' memory. NOTE: the construct knows of none, and
    what EFA sends is neither TCP nor let through by addresses: the group has to name itself, both ways."""
    made = template.node.default_child
    assert isinstance(made, ec2.CfnLaunchTemplate)  # noqa: S101 - the construct's own kind
    interface = {
        "DeviceIndex": 0,
        "InterfaceType": "efa",
        "Groups": [network.job_security_group.security_group_id],
        "DeleteOnTermination": True,
    }
    made.add_property_override("LaunchTemplateData.NetworkInterfaces", [interface])
    group = network.job_security_group.security_group_id
    ec2.CfnSecurityGroupIngress(
        template, "FromNodes", group_id=group, source_security_group_id=group, ip_protocol="-1", description="EFA"
    )
    ec2.CfnSecurityGroupEgress(
        template, "ToNodes", group_id=group, destination_security_group_id=group, ip_protocol="-1", description="EFA"
    )
