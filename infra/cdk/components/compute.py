"""AWS Batch: where jobs wait and the machines they run on."""

from aws_cdk import Size
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.network import JobNetwork

_DISK_GIB = 100
_ROOT_DEVICE = "/dev/xvda"


class JobCompute(Construct):
    """Instances that Batch starts for waiting jobs and ends when none waits, behind one queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, network: JobNetwork, max_vcpus: int, is_spot: bool
    ) -> None:
        super().__init__(scope, construct_id)
        environment = batch.ManagedEc2EcsComputeEnvironment(
            self,
            "Instances",
            vpc=network,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_groups=[network.job_security_group],
            images=[batch.EcsMachineImage(image_type=batch.EcsMachineImageType.ECS_AL2023)],
            launch_template=self._build_launch_template(),
            minv_cpus=0,
            maxv_cpus=max_vcpus,
            spot=is_spot,
            allocation_strategy=(
                batch.AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED
                if is_spot
                else batch.AllocationStrategy.BEST_FIT_PROGRESSIVE
            ),
            update_to_latest_image_version=True,
        )
        self.queue = batch.JobQueue(
            self,
            "Queue",
            job_queue_name=naming.JOB_QUEUE,
            priority=1,
            compute_environments=[batch.OrderedComputeEnvironment(compute_environment=environment, order=1)],
        )

    def _build_launch_template(self) -> ec2.LaunchTemplate:
        """Room for data sets, and an instance role that containers cannot take over: hop limit 1 stops at the host."""
        return ec2.LaunchTemplate(
            self,
            "LaunchTemplate",
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
