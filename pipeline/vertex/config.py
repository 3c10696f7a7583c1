"""The typed, validated settings of a pipeline on Vertex AI."""

from typing import Annotated, Literal

import pydantic

from components.vertex_pusher.config import PusherConfig
from ncf_model.config import Config
from pipeline.cluster import config
from pipeline.cluster.node_config import NodeConfig
from pipeline.nodes import ids

Email = Annotated[str, pydantic.Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class DataflowConfig(Config):
    """Settings of Dataflow jobs, in which the components on Beam run.

    Attributes:
        temp_location: a folder for temporary files of Beam, gs://...
        image: the container image of the workers: the pipeline's image with Beam's boot
            program (target `dataflow` of kubeflow/Dockerfile), and thus the same code.
        machine_type: the type of machine of each worker.
        workers: how many workers a job starts with.
        max_workers: to how many workers a job may grow; the value of `workers` switches
            autoscaling off.
        disk_size_gb: the size of each worker's disk, in 10^9 bytes.
        subnetwork: regions/REGION/subnetworks/NAME; null is the default network.
        public_ips: whether workers have public addresses; false needs Private Google
            Access in the subnetwork.
    """

    temp_location: str = pydantic.Field(pattern="^gs://")
    image: str
    machine_type: str = "n1-standard-4"
    workers: pydantic.PositiveInt = 1
    max_workers: pydantic.PositiveInt = 4
    disk_size_gb: pydantic.PositiveInt = 50
    subnetwork: str | None = None
    public_ips: bool = True

    @pydantic.model_validator(mode="after")
    def _check(self) -> "DataflowConfig":
        if self.max_workers < self.workers:
            raise ValueError(
                f"`max_workers` must be at least `workers`, {self.workers}; got "
                f"{self.max_workers}"
            )
        return self

    def beam_args(
        self, *, project: str, region: str, service_account: str | None
    ) -> tuple[str, ...]:
        """Returns the arguments for Beam.

        The image has Beam and this package, so nothing is staged: no SDK, no setup
        file, no pickled main session.
        """
        scaling = "NONE" if self.max_workers == self.workers else "THROUGHPUT_BASED"
        args = [
            "--runner=DataflowRunner",
            f"--project={project}",
            f"--region={region}",
            f"--temp_location={self.temp_location}",
            f"--sdk_container_image={self.image}",
            "--sdk_location=container",
            "--experiments=use_runner_v2",
            f"--worker_machine_type={self.machine_type}",
            f"--autoscaling_algorithm={scaling}",
            f"--num_workers={self.workers}",
            f"--max_num_workers={self.max_workers}",
            f"--disk_size_gb={self.disk_size_gb}",
            "--labels=source=ncf",
        ]
        if service_account:
            args.append(f"--service_account_email={service_account}")
        if self.subnetwork:
            args.append(f"--subnetwork={self.subnetwork}")
        if not self.public_ips:
            args.append("--no_use_public_ips")
        return tuple(args)


class TrainerConfig(Config):
    """Where Trainer trains.

    Attributes:
        platform: `task` trains in Trainer's task of the pipeline; `vertex` trains in a
            Vertex AI Training job, which can have several machines or a TPU.
        workers: how many machines the job has, each with the profile's GPUs.
    """

    platform: Literal["task", "vertex"] = "task"
    workers: pydantic.PositiveInt = 1

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TrainerConfig":
        if self.workers > 1 and self.platform != "vertex":
            raise ValueError(
                f"`workers` is {self.workers}, and a task is one machine; more need "
                "`platform: vertex`"
            )
        return self


class VertexConfig(config.ClusterConfig):
    """Where and on what the pipeline runs on Vertex AI; see also `ClusterConfig`.

    Attributes:
        serving: the serving folder, gs://...
        project, region: the project and region of the jobs that tasks start, and of the
            endpoint.
        service_account: the service account of these jobs; null is Compute Engine's
            default.
        network: projects/NUMBER/global/networks/NAME, for Training jobs.
        trainer: where Trainer trains.
        dataflow: the Dataflow jobs in which components on Beam run; null runs each
            component in its own task.
        pusher: where models are pushed besides `serving`.
        notify_emails: at most 3 addresses to which Vertex writes when a run has
            succeeded or failed.
    """

    # A folder in the bucket, because Trainer's checkpoints go beside it.
    serving: str = pydantic.Field(pattern="^gs://[^/]+/+[^/]")
    project: str | None = None
    region: str | None = None
    service_account: str | None = None
    network: str | None = None
    trainer: TrainerConfig = TrainerConfig()
    dataflow: DataflowConfig | None = None
    pusher: PusherConfig = PusherConfig()
    notify_emails: tuple[Email, ...] = pydantic.Field((), max_length=3)

    @pydantic.model_validator(mode="after")
    def _check_vertex(self) -> "VertexConfig":
        if self.dataflow and "beam_args" in self.model_fields_set:
            raise ValueError("`dataflow` makes `beam_args`; give one of them")
        elsewhere = self.dataflow or self.trains_in_job or self.pushes_to_vertex
        if elsewhere and not (self.project and self.region):
            raise ValueError(
                "`project` and `region` are needed for `dataflow`, and for `trainer` "
                f"or `pusher` on Vertex; got {self.project!r} and {self.region!r}"
            )
        if self.profile == "tpu" and self.trainer.workers > 1:
            raise ValueError("a TPU is on one machine; drop `trainer.workers`")
        if not self.trains_in_job and (self.profile == "tpu" or self.spot):
            raise ValueError(
                "Vertex gives a task of a pipeline neither a TPU nor a spot machine, "
                "but a Training job can have them: `trainer: {platform: vertex}`"
            )
        return self

    @property
    def trains_in_job(self) -> bool:
        """Whether Trainer's task only starts a Training job."""
        return self.trainer.platform == "vertex"

    @property
    def pushes_to_vertex(self) -> bool:
        """Whether Pusher also deploys the model, or registers it."""
        return self.pusher.platform != "folder"

    @property
    def strategy(self) -> str:
        """The `train.strategy` that goes with profile and workers."""
        return "multi_worker_mirrored" if self.trainer.workers > 1 else super().strategy

    @property
    def beam_arguments(self) -> tuple[str, ...]:
        """The arguments for Beam of the components that run on it."""
        if self.dataflow is None:
            return self.beam_args
        return self.dataflow.beam_args(
            project=str(self.project),
            region=str(self.region),
            service_account=self.service_account,
        )

    def node(self, node_id: str) -> NodeConfig:
        """Returns all settings of a node; one that waits for a job needs little."""
        if node_id != ids.TRAINER or not self.trains_in_job:
            return super().node(node_id)
        # The waiting task has no limit: the job, which costs money, has it.
        waiting = NodeConfig(cpu=1, memory_gb=4, image=self.image, retries=0)
        return self._changed(node_id, waiting)
