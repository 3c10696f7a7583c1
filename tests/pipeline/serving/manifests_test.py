"""Manifests that the Kubernetes client's own classes take, field by field."""

import json

import pytest
import yaml
from kubernetes import client
from typer import testing

from pipeline import cli
from pipeline.serving import manifests
from pipeline.serving.manifests import ServingConfig

KINDS = {
    "ConfigMap": "V1ConfigMap",
    "Deployment": "V1Deployment",
    "Service": "V1Service",
    "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
}


def _read(document, kind):
    """Returns a document parsed by the client's class, which must keep all fields."""

    class Answer:
        data = json.dumps(document)

    api = client.ApiClient()
    made = api.deserialize(Answer, kind)
    assert api.sanitize_for_serialization(made) == document
    return made


def _objects(**settings):
    settings = {"model": "gs://b/serving"} | settings
    documents = [*yaml.safe_load_all(manifests.deployment(ServingConfig(**settings)))]
    return {d["kind"]: _read(d, KINDS[d["kind"]]) for d in documents}


def _container(objects):
    [container] = objects["Deployment"].spec.template.spec.containers
    return container


def test_one_of_each_and_all_find_the_pods():
    objects = _objects(name="shop", namespace="prod")
    assert list(objects) == list(KINDS)
    pods = objects["Deployment"].spec.template.metadata.labels
    assert objects["Deployment"].spec.selector.match_labels == pods
    assert objects["Service"].spec.selector == pods
    assert objects["PodDisruptionBudget"].spec.selector.match_labels == pods
    scaler = objects["HorizontalPodAutoscaler"].spec
    assert scaler.scale_target_ref.name == objects["Deployment"].metadata.name == "shop"
    assert {o.metadata.namespace for o in objects.values()} == {"prod"}


def test_from_a_bucket():
    objects = _objects(service_account="reader")
    assert "--model_base_path=gs://b/serving" in _container(objects).args
    pod = objects["Deployment"].spec.template.spec
    assert pod.service_account_name == "reader"
    assert [volume.name for volume in pod.volumes] == ["monitoring", "tmp"]


def test_from_a_volume_that_is_only_read():
    objects = _objects(model="pvc://ncf/runs/serving")
    container = _container(objects)
    assert "--model_base_path=/models/runs/serving" in container.args
    [mount] = [m for m in container.volume_mounts if m.name == "models"]
    assert (mount.mount_path, mount.read_only) == ("/models", True)
    pod = objects["Deployment"].spec.template.spec
    [volume] = [v for v in pod.volumes if v.name == "models"]
    assert volume.persistent_volume_claim.claim_name == "ncf"


def test_not_root_and_nothing_to_write_to():
    objects = _objects()
    pod = objects["Deployment"].spec.template.spec
    assert pod.security_context.run_as_non_root
    assert pod.security_context.run_as_user > 0
    security = _container(objects).security_context
    assert security.read_only_root_filesystem
    assert not security.allow_privilege_escalation
    assert security.capabilities.drop == ["ALL"]


def test_probes_ask_for_the_model_by_its_name():
    container = _container(_objects(name="shop"))
    assert "--model_name=shop" in container.args
    for probe in (container.startup_probe, container.readiness_probe):
        assert probe.http_get.path == "/v1/models/shop"
    assert container.liveness_probe.tcp_socket.port == "grpc"
    ports = {port.name: port.container_port for port in container.ports}
    assert ports == {"grpc": 8500, "http": 8501}


def test_an_update_and_a_drained_node_leave_pods_that_answer():
    objects = _objects(replicas=3, max_replicas=4)
    update = objects["Deployment"].spec.strategy.rolling_update
    assert (update.max_surge, update.max_unavailable) == (1, 0)
    assert objects["Deployment"].spec.replicas is None
    assert objects["PodDisruptionBudget"].spec.max_unavailable == 1
    scaler = objects["HorizontalPodAutoscaler"].spec
    assert (scaler.min_replicas, scaler.max_replicas) == (3, 4)


def test_on_gpus():
    objects = _objects(gpu="L4")
    container = _container(objects)
    assert container.resources.limits["nvidia.com/gpu"] == "1"
    assert container.image.endswith("-gpu")
    pod = objects["Deployment"].spec.template.spec
    assert pod.node_selector == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert pod.tolerations[0].key == "nvidia.com/gpu"
    assert "nvidia.com/gpu" not in _container(_objects()).resources.limits


@pytest.mark.parametrize("gpu", [None, "T4"])
def test_inference_service(gpu):
    config = ServingConfig(
        model="pvc://ncf/serving", gpu=gpu, service_account="reader", image="i@sha256:1"
    )
    document = yaml.safe_load(manifests.inference_service(config))
    assert document["apiVersion"] == "serving.kserve.io/v1beta1"
    assert document["kind"] == "InferenceService"
    predictor = document["spec"]["predictor"]
    model = predictor.pop("model")
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["storageUri"] == "pvc://ncf/serving"
    assert model["image"] == "i@sha256:1"
    assert ("nvidia.com/gpu" in model["resources"]["limits"]) == (gpu is not None)
    own = {"minReplicas": 2, "maxReplicas": 10, "scaleMetric": "cpu", "scaleTarget": 70}
    assert {key: predictor.pop(key) for key in own} == own
    # What is left are a pod's own fields.
    _read({"containers": []} | predictor, "V1PodSpec")
    assert predictor["securityContext"]["runAsNonRoot"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model": "/srv/serving"}, "`model` must be gs://"),
        ({"model": "gs://"}, "`model` must be gs://"),
        ({"name": "Shop"}, "`name` must be of lower-case letters"),
        ({"name": "a" * 51}, "50 at most"),
        ({"replicas": 0}, "1 <= replicas <= max_replicas; got 0 and 10"),
        ({"replicas": 11}, "got 11 and 10"),
        ({"gpu": "V100"}, "`gpu` must be one of .*'L4'.*; got 'V100'"),
        ({"cpu": 0}, "must be above 0"),
    ],
)
def test_refuses(settings, reason):
    with pytest.raises(ValueError, match=reason):
        ServingConfig(**{"model": "gs://b/serving"} | settings)


def test_the_command(tmp_path):
    file = tmp_path / "serving.yaml"
    arguments = ["compile", "serving", "--model", "gs://b/s", "-o", str(file)]
    runner = testing.CliRunner()
    assert runner.invoke(cli.app, arguments).exit_code == 0
    assert len(list(yaml.safe_load_all(file.read_text()))) == 5
    assert runner.invoke(cli.app, [*arguments, "--form", "kserve"]).exit_code == 0
    assert yaml.safe_load(file.read_text())["kind"] == "InferenceService"
    done = runner.invoke(cli.app, [*arguments, "--form", "helm"])
    assert done.exit_code == 2
    assert "`form` must be one of ['deployment', 'kserve']" in done.output
