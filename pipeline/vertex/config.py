"""Where the pipeline runs on Vertex AI: the typed, validated settings."""

import pydantic

from ncf_model.config import Config
from pipeline.kfp.config import KfpConfig
from pipeline.kfp.node_config import VolumeConfig


class DataflowConfig(Config):
    """The steps on Beam as Dataflow jobs, each with workers of its own.

    Attributes:
        project: its id.
        region: of the workers; best that of the bucket.
        temp_location: a folder for what Beam leaves during a job, gs://...
        image: of the workers: the pipeline's with Beam's boot program (target
            `dataflow` of kubeflow/Dockerfile), hence the same code.
        machine_type: of each worker.
        workers: at the start.
        max_workers: to which a job may grow; `workers` switches autoscaling off.
        disk_size_gb: of each worker.
        service_account: as which the workers run; null is Compute Engine's default.
        subnetwork: regions/REGION/subnetworks/NAME; null is the default network.
        public_ips: false needs Private Google Access in the subnetwork.
    """

    project: str
    region: str
    temp_location: str = pydantic.Field(pattern="^gs://")
    image: str
    machine_type: str = "n1-standard-4"
    workers: pydantic.PositiveInt = 1
    max_workers: pydantic.PositiveInt = 4
    disk_size_gb: pydantic.PositiveInt = 50
    service_account: str | None = None
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

    def beam_args(self) -> tuple[str, ...]:
        """Returns Beam's arguments.

        The image holds Beam and this package, so nothing is staged: no SDK, no
        setup file, no pickled main session.
        """
        scaling = "NONE" if self.max_workers == self.workers else "THROUGHPUT_BASED"
        args = [
            "--runner=DataflowRunner",
            f"--project={self.project}",
            f"--region={self.region}",
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
        if self.service_account:
            args.append(f"--service_account_email={self.service_account}")
        if self.subnetwork:
            args.append(f"--subnetwork={self.subnetwork}")
        if not self.public_ips:
            args.append("--no_use_public_ips")
        return tuple(args)


class VertexConfig(KfpConfig):
    """What `KfpConfig` says of a cluster, said of Vertex AI.

    Attributes:
        dataflow: the steps on Beam run there; null runs each in its own task.
    """

    volumes: tuple[VolumeConfig, ...] = ()
    dataflow: DataflowConfig | None = None

    @pydantic.model_validator(mode="after")
    def _check_vertex(self) -> "VertexConfig":
        if self.dataflow and "beam_args" in self.model_fields_set:
            raise ValueError("`dataflow` makes `beam_args`; give one of them")
        return self

    @property
    def beam_arguments(self) -> tuple[str, ...]:
        """Of the components that run on Beam."""
        return self.dataflow.beam_args() if self.dataflow else self.beam_args
