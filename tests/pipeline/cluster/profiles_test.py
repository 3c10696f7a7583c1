import pytest

from pipeline.cluster import node_config
from pipeline.kfp import config, platform_spec

MOUNTED = {"claim": "ncf", "mount_path": "/mnt/ncf"}


def _trainer(**settings):
    return config.KfpConfig(serving="gs://b/s", volumes=(), **settings).node("Trainer")


@pytest.mark.parametrize(
    ("gpu", "gpus", "label", "cpu"),
    [("T4", 1, "nvidia-tesla-t4", 7), ("L4", 2, "nvidia-l4", 14)],
)
def test_gpu(gpu, gpus, label, cpu):
    node = _trainer(profile="gpu", gpu=gpu, gpus=gpus)
    assert platform_spec.kubernetes(node) == {
        "nodeSelector": {"labels": {"cloud.google.com/gke-accelerator": label}},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        ],
    }
    resources = platform_spec.resources(node)
    assert resources["accelerator"] == {"type": "nvidia.com/gpu", "count": str(gpus)}
    assert resources["cpuLimit"] == resources["cpuRequest"] == cpu


@pytest.mark.parametrize(("topology", "chips"), [("1x1", 1), ("2x2", 4), ("2x4", 8)])
def test_tpu(topology, chips):
    node = _trainer(profile="tpu", topology=topology)
    assert platform_spec.kubernetes(node) == {
        "nodeSelector": {
            "labels": {
                "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
                "cloud.google.com/gke-tpu-topology": topology,
            }
        },
        "tolerations": [
            {"key": "google.com/tpu", "operator": "Exists", "effect": "NoSchedule"}
        ],
    }
    accelerator = platform_spec.resources(node)["accelerator"]
    assert accelerator == {"type": "google.com/tpu", "count": str(chips)}


def test_cpu_asks_for_no_accelerator():
    node = _trainer()
    assert platform_spec.kubernetes(node) == {}
    assert "accelerator" not in platform_spec.resources(node)


@pytest.mark.parametrize(
    ("settings", "strategy"),
    [
        ({}, "one_device"),
        ({"profile": "gpu"}, "one_device"),
        ({"profile": "gpu", "gpus": 2}, "mirrored"),
        ({"profile": "tpu"}, "tpu"),
    ],
)
def test_strategy_follows(settings, strategy):
    assert config.KfpConfig(**settings).strategy == strategy


def test_spot_has_label_taint_and_retries():
    node = _trainer(spot=True)
    assert platform_spec.kubernetes(node) == {
        "nodeSelector": {"labels": {"cloud.google.com/gke-spot": "true"}},
        "tolerations": [
            {
                "key": "cloud.google.com/gke-spot",
                "operator": "Equal",
                "value": "true",
                "effect": "NoSchedule",
            }
        ],
    }
    assert platform_spec.retry_policy(node)["maxRetryCount"] == 3
    assert platform_spec.retry_policy(_trainer()) == {}


def test_only_the_trainer_gets_what_is_the_trainers():
    settings = config.KfpConfig(
        profile="gpu", spot=True, image="data", trainer_image="cuda"
    )
    assert settings.node("Trainer").image == "cuda"
    assert settings.node("Transform").image == "data"
    assert settings.node("Transform").accelerator is None
    assert not settings.node("Transform").spot


def test_a_node_changes_what_it_names_and_nothing_else():
    changed = node_config.NodeConfig(memory_gb=50, node_selector={"pool": "big"})
    settings = config.KfpConfig(nodes={"Transform": changed})
    node = settings.node("Transform")
    assert (node.cpu, node.memory_gb) == (3.5, 50)
    assert platform_spec.kubernetes(node) == {
        "nodeSelector": {"labels": {"pool": "big"}},
        "pvcMount": [{"constant": "ncf", "mountPath": "/mnt/ncf"}],
    }


def test_training_without_the_profiles_gpus_fails():
    assert config.KfpConfig(profile="gpu", gpus=2).train["num_gpus"] == 2
    assert config.KfpConfig(gpus=2).train == {"strategy": "one_device"}


def test_a_node_can_refuse_the_profiles_accelerator():
    changed = node_config.NodeConfig(accelerator=None)
    settings = config.KfpConfig(profile="gpu", nodes={"Trainer": changed})
    assert "accelerator" not in platform_spec.resources(settings.node("Trainer"))
    assert "num_gpus" not in settings.train


def test_secrets():
    node = node_config.NodeConfig(
        secrets=(
            node_config.SecretConfig(name="db", env={"password": "DB_PASSWORD"}),
            node_config.SecretConfig(name="key", mount_path="/etc/key"),
        )
    )
    assert platform_spec.kubernetes(node) == {
        "secretAsEnv": [
            {
                "secretName": "db",
                "keyToEnv": [{"secretKey": "password", "envVar": "DB_PASSWORD"}],
            }
        ],
        "secretAsVolume": [{"secretName": "key", "mountPath": "/etc/key"}],
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"serving": "s3://b/s"}, "must be gs://.*got 's3://b/s'"),
        ({"serving": "/elsewhere/s"}, "no claim in `volumes` is mounted there"),
        ({"serving": "/mnt/ncf2/s"}, "no claim in `volumes` is mounted there"),
        ({"profile": "gpus"}, "profile: .*'cpu', 'gpu' or 'tpu'.*; got 'gpus'"),
        ({"topology": "4x4"}, "topology: .*'1x1', '2x2' or '2x4'"),
        ({"gpus": 0}, "gpus: .*greater than 0; got 0"),
        ({"images": "x"}, "images: .*not permitted"),
        ({"image": "REGION/PROJECT/ncf"}, "'REGION/PROJECT/ncf' names no image"),
        ({"serving": "gs://BUCKET/serving"}, "names no bucket: 'BUCKET'"),
        ({"nodes": {"a_b": {}}}, "letters, digits and inner hyphens.*got 'a_b'"),
        ({"nodes": {"A": {"gpu": 1}}}, "nodes.A.gpu: .*not permitted"),
        (
            {"nodes": {"A": {"secrets": [{"name": "s"}]}}},
            "either `env` or `mount_path`",
        ),
    ],
)
def test_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        config.load(None, **settings)


@pytest.mark.parametrize("path", ["/mnt/ncf", "/mnt/ncf/", "/mnt/ncf/a/b"])
def test_paths_in_a_volume(path):
    assert config.load(None, serving=path, volumes=[MOUNTED]).serving == path


DIGEST = "image@sha256:0123"


@pytest.mark.parametrize(
    ("settings", "cacheable"),
    [
        ({"image": "image:1"}, False),
        ({"image": DIGEST}, True),
        ({"image": DIGEST, "cache": False}, False),
        ({"image": DIGEST, "trainer_image": "image:2"}, False),
        ({"image": DIGEST, "nodes": {"Report": {"image": "image:2"}}}, False),
    ],
)
def test_caches_only_images_that_cannot_change(settings, cacheable):
    assert config.load(None, **settings).cacheable is cacheable


def test_file_and_changes(tmp_path):
    file = tmp_path / "gke.yaml"
    file.write_text("image: a:1\nprofile: gpu\n")
    settings = config.load(file, image="b:2", gpu=None)
    assert (settings.image, settings.profile, settings.gpu) == ("b:2", "gpu", "T4")
    with pytest.raises(ValueError, match="No platform file"):
        config.load(tmp_path / "none.yaml")
