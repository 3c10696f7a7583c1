"""Makes manifests that serve the pushed model on a cluster with TensorFlow Serving.

There are two forms: a Deployment with its Service and other objects, made with classes
of the Kubernetes client, or an InferenceService of KServe, for which that client has no
class.
"""

import dataclasses
import re
from typing import Any

import yaml
from kubernetes import client

from pipeline.cluster import machines, node_config

GRPC, REST = 8500, 8501
MOUNT = "/models"
_UID = 1000  # Any user but root will do for the image.
_METRICS = "/monitoring/prometheus/metrics"
_MODEL = re.compile(r"(gs|s3)://[^/]+(/.+)?|pvc://[a-z0-9.-]+(/.*)?")
_NAME = re.compile("[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """The model to serve, and the resources for it.

    Attributes:
        model: the serving folder: gs://..., s3://... or pvc://claim/path.
        name: the name of all objects, and of the model in URLs.
        namespace: the namespace of the objects; None leaves it to kubectl.
        image: the image of TensorFlow Serving; None is the usual one, with CUDA if
            `gpu` is set.
        gpu: a kind of GPU in `pipeline.cluster.machines`, such as L4; None is the CPU.
        cpu: cores per pod.
        memory_gb: memory per pod; two versions are in memory while one replaces the
            other.
        replicas: the fewest pods, >= 1.
        max_replicas: the most pods.
        service_account: the service account of the pods, which reads the bucket.
    """

    model: str
    name: str = "ncf"
    namespace: str | None = None
    image: str | None = None
    gpu: str | None = None
    cpu: float = 2
    memory_gb: float = 4
    replicas: int = 2
    max_replicas: int = 10
    service_account: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(
            r"(gs|s3)://[^/]+(/.+)?|pvc://[a-z0-9.-]+(/.*)?", self.model
        ):
            raise ValueError(
                "`model` must be gs://bucket/folder, s3://bucket/folder or "
                f"pvc://claim/folder, which every pod can reach; got {self.model!r}."
            )
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "`name` must be of lower-case letters, digits and hyphens, 50 at most; "
                f"got {self.name!r}."
            )
        if not 1 <= self.replicas <= self.max_replicas:
            raise ValueError(
                "There must be 1 <= replicas <= max_replicas; got "
                f"{self.replicas} and {self.max_replicas}."
            )
        if self.gpu is not None and self.gpu not in machines.GPUS:
            raise ValueError(
                f"`gpu` must be one of {sorted(machines.GPUS)}; got {self.gpu!r}."
            )
        if self.cpu <= 0 or self.memory_gb <= 0:
            raise ValueError(
                f"CPU and memory must be above 0; got {self.cpu}, {self.memory_gb}."
            )

    @property
    def claim(self) -> tuple[str, str] | None:
        """The volume claim and the folder in it, for pvc://."""
        if not self.model.startswith("pvc://"):
            return None
        claim, _, folder = self.model.removeprefix("pvc://").partition("/")
        return claim, folder.strip("/")

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the objects, by which the pods are found."""
        return {
            "app.kubernetes.io/name": "ncf",
            "app.kubernetes.io/instance": self.name,
        }


def deployment(config: ServingConfig) -> str:
    """Returns the YAML of Deployment, Service, ConfigMap, HPA and disruption budget."""
    objects = [
        _monitoring(config),
        _deployment(config),
        _service(config),
        _scaler(config),
        _budget(config),
    ]
    with client.ApiClient() as api:
        return yaml.safe_dump_all(
            map(api.sanitize_for_serialization, objects), sort_keys=False
        )


def inference_service(config: ServingConfig) -> str:
    """Returns the YAML of a KServe InferenceService, in the form with `model`.

    KServe's runtime for TensorFlow uses protocol v1. KServe copies the folder when a
    pod starts, so a newly pushed version is served after `kubectl rollout restart`, not
    at once.
    """
    model: dict[str, Any] = {
        "modelFormat": {"name": "tensorflow"},
        "protocolVersion": "v1",
        "storageUri": config.model,
        "resources": _resources(config),
    }
    if config.image is not None:
        model["image"] = config.image
    predictor: dict[str, Any] = {
        "minReplicas": config.replicas,
        "maxReplicas": config.max_replicas,
        "scaleMetric": "cpu",
        "scaleTarget": 70,
        "model": model,
        "securityContext": _pod_security(),
    }
    if config.service_account is not None:
        predictor["serviceAccountName"] = config.service_account
    if config.gpu is not None:
        predictor["nodeSelector"] = _gpu_nodes(config.gpu)
        predictor["tolerations"] = [_gpu_toleration()]
    with client.ApiClient() as api:
        return yaml.safe_dump(
            api.sanitize_for_serialization(
                {
                    "apiVersion": "serving.kserve.io/v1beta1",
                    "kind": "InferenceService",
                    "metadata": _metadata(config),
                    "spec": {"predictor": predictor},
                }
            ),
            sort_keys=False,
        )


def _metadata(config: ServingConfig, suffix: str = "") -> client.V1ObjectMeta:
    return client.V1ObjectMeta(
        name=config.name + suffix, namespace=config.namespace, labels=config.labels
    )


def _resources(config: ServingConfig) -> client.V1ResourceRequirements:
    memory = f"{config.memory_gb:g}Gi"
    gpu = {} if config.gpu is None else {node_config.GPU_RESOURCE: "1"}
    return client.V1ResourceRequirements(
        requests={"cpu": f"{config.cpu:g}", "memory": memory, **gpu},
        # Without a limit of CPU, which would slow a pod even on an idle machine.
        limits={"memory": memory, **gpu},
    )


def _pod_security() -> client.V1PodSecurityContext:
    return client.V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=_UID,
        run_as_group=_UID,
        fs_group=_UID,
        seccomp_profile=client.V1SeccompProfile(type="RuntimeDefault"),
    )


def _gpu_nodes(gpu: str) -> dict[str, str]:
    return {"cloud.google.com/gke-accelerator": machines.GPUS[gpu].gke}


def _gpu_toleration() -> client.V1Toleration:
    return client.V1Toleration(
        key=node_config.GPU_RESOURCE, operator="Exists", effect="NoSchedule"
    )


def _monitoring(config: ServingConfig) -> client.V1ConfigMap:
    text = f'prometheus_config {{ enable: true, path: "{_METRICS}" }}\n'
    return client.V1ConfigMap(
        api_version="v1",
        kind="ConfigMap",
        metadata=_metadata(config, "-monitoring"),
        data={"monitoring.config": text},
    )


def _deployment(config: ServingConfig) -> client.V1Deployment:
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(REST),
        "prometheus.io/path": _METRICS,
    }
    return client.V1Deployment(
        api_version="apps/v1",
        kind="Deployment",
        metadata=_metadata(config),
        spec=client.V1DeploymentSpec(
            # Without `replicas`, so that applying the file again does not undo the HPA.
            selector=client.V1LabelSelector(match_labels=config.labels),
            strategy=client.V1DeploymentStrategy(
                type="RollingUpdate",
                rolling_update=client.V1RollingUpdateDeployment(
                    max_surge=1, max_unavailable=0
                ),
            ),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(
                    labels=config.labels, annotations=annotations
                ),
                spec=_pod(config),
            ),
        ),
    )


def _pod(config: ServingConfig) -> client.V1PodSpec:
    volumes = [
        client.V1Volume(
            name="monitoring",
            config_map=client.V1ConfigMapVolumeSource(name=f"{config.name}-monitoring"),
        ),
        client.V1Volume(name="tmp", empty_dir=client.V1EmptyDirVolumeSource()),
    ]
    if config.claim:
        source = client.V1PersistentVolumeClaimVolumeSource(
            claim_name=config.claim[0], read_only=True
        )
        volumes.append(client.V1Volume(name="models", persistent_volume_claim=source))
    spread = client.V1TopologySpreadConstraint(
        max_skew=1,
        topology_key="kubernetes.io/hostname",
        when_unsatisfiable="ScheduleAnyway",
        label_selector=client.V1LabelSelector(match_labels=config.labels),
    )
    return client.V1PodSpec(
        service_account_name=config.service_account,
        automount_service_account_token=None if config.service_account else False,
        security_context=_pod_security(),
        termination_grace_period_seconds=30,
        containers=[_container(config)],
        volumes=volumes,
        topology_spread_constraints=[spread],
        node_selector=_gpu_nodes(config.gpu) if config.gpu else None,
        tolerations=[_gpu_toleration()] if config.gpu else None,
    )


def _container(config: ServingConfig) -> client.V1Container:
    folder = f"{MOUNT}/{config.claim[1]}".rstrip("/") if config.claim else config.model
    mounts = [
        client.V1VolumeMount(name="monitoring", mount_path="/etc/serving"),
        client.V1VolumeMount(name="tmp", mount_path="/tmp"),
    ]
    if config.claim:
        mounts.append(
            client.V1VolumeMount(name="models", mount_path=MOUNT, read_only=True)
        )
    return client.V1Container(
        name="serving",
        image=config.image or f"tensorflow/serving:{_tag(config)}",
        # The binary, because the script of the image must run as root.
        command=["tensorflow_model_server"],
        args=[
            f"--port={GRPC}",
            f"--rest_api_port={REST}",
            f"--model_name={config.name}",
            f"--model_base_path={folder}",
            "--monitoring_config_file=/etc/serving/monitoring.config",
            # The highest version is served; a push or a rollback makes a new one.
            "--file_system_poll_wait_seconds=30",
        ],
        ports=[
            client.V1ContainerPort(name="grpc", container_port=GRPC),
            client.V1ContainerPort(name="http", container_port=REST),
        ],
        resources=_resources(config),
        security_context=client.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=client.V1Capabilities(drop=["ALL"]),
        ),
        volume_mounts=mounts,
        **_probes(config),
    )


def _tag(config: ServingConfig) -> str:
    return "2.19.1-gpu" if config.gpu else "2.19.1"


def _probes(config: ServingConfig) -> dict[str, Any]:
    ready = client.V1HTTPGetAction(path=f"/v1/models/{config.name}", port="http")
    alive = client.V1TCPSocketAction(port="grpc")
    return {
        # Loading may take ten minutes, as the model may be large and the bucket far.
        "startup_probe": client.V1Probe(
            http_get=ready, period_seconds=5, failure_threshold=120
        ),
        "readiness_probe": client.V1Probe(http_get=ready, period_seconds=5),
        "liveness_probe": client.V1Probe(
            tcp_socket=alive, period_seconds=10, failure_threshold=6
        ),
        # Requests still come until the Service has noticed.
        "lifecycle": client.V1Lifecycle(
            pre_stop=client.V1LifecycleHandler(
                _exec=client.V1ExecAction(command=["sleep", "5"])
            )
        ),
    }


def _service(config: ServingConfig) -> client.V1Service:
    return client.V1Service(
        api_version="v1",
        kind="Service",
        metadata=_metadata(config),
        spec=client.V1ServiceSpec(
            selector=config.labels,
            ports=[
                client.V1ServicePort(name="grpc", port=GRPC, target_port="grpc"),
                client.V1ServicePort(name="http", port=REST, target_port="http"),
            ],
        ),
    )


def _scaler(config: ServingConfig) -> client.V2HorizontalPodAutoscaler:
    target = client.V2MetricTarget(type="Utilization", average_utilization=70)
    return client.V2HorizontalPodAutoscaler(
        api_version="autoscaling/v2",
        kind="HorizontalPodAutoscaler",
        metadata=_metadata(config),
        spec=client.V2HorizontalPodAutoscalerSpec(
            scale_target_ref=client.V2CrossVersionObjectReference(
                api_version="apps/v1", kind="Deployment", name=config.name
            ),
            min_replicas=config.replicas,
            max_replicas=config.max_replicas,
            metrics=[
                client.V2MetricSpec(
                    type="Resource",
                    resource=client.V2ResourceMetricSource(name="cpu", target=target),
                )
            ],
        ),
    )


def _budget(config: ServingConfig) -> client.V1PodDisruptionBudget:
    return client.V1PodDisruptionBudget(
        api_version="policy/v1",
        kind="PodDisruptionBudget",
        metadata=_metadata(config),
        spec=client.V1PodDisruptionBudgetSpec(
            max_unavailable=1,
            selector=client.V1LabelSelector(match_labels=config.labels),
        ),
    )
