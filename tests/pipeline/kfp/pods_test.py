import pytest

from pipeline.cluster import node_spec
from pipeline.kfp import config, platform_spec, pods

MOUNTED = {"claim": "ncf", "mount_path": "/mnt/ncf"}


CUDA = "cuda@sha256:02"


def _config(**settings):
    if settings.get("profile", "cpu") != "cpu":
        settings.setdefault("trainer_image", CUDA)
    return config.KfpConfig(**{"serving": "gs://b/s", "volumes": (), **settings})


def _trainer(**settings):
    return _config(**settings).node("Trainer")


def _placed(node):
    """Returns the settings that choose the task's machine."""
    spec = platform_spec.kubernetes(node)
    return {key: spec[key] for key in ("nodeSelector", "tolerations") if key in spec}


@pytest.mark.parametrize(
    ("gpu", "gpus", "label", "cpu"),
    [("T4", 1, "nvidia-tesla-t4", 7), ("L4", 2, "nvidia-l4", 14)],
)
def test_gpu(gpu, gpus, label, cpu):
    node = _trainer(profile="gpu", gpu=gpu, gpus=gpus)
    assert _placed(node) == {
        "nodeSelector": {"labels": {"cloud.google.com/gke-accelerator": label}},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        ],
    }
    resources = node_spec.resources(node)
    assert resources["accelerator"] == {"type": "nvidia.com/gpu", "count": str(gpus)}
    assert resources["cpuLimit"] == resources["cpuRequest"] == cpu


@pytest.mark.parametrize(("topology", "chips"), [("1x1", 1), ("2x2", 4), ("2x4", 8)])
def test_tpu(topology, chips):
    node = _trainer(profile="tpu", topology=topology)
    assert _placed(node) == {
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
    accelerator = node_spec.resources(node)["accelerator"]
    assert accelerator == {"type": "google.com/tpu", "count": str(chips)}


def test_cpu_asks_for_no_accelerator():
    node = _trainer()
    assert _placed(node) == {}
    assert "accelerator" not in node_spec.resources(node)


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
    assert _config(**settings).strategy == strategy


def test_spot_has_label_taint_and_retries():
    node = _trainer(spot=True)
    assert _placed(node) == {
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
    assert node_spec.retry_policy(node)["maxRetryCount"] == 3


def test_only_the_trainer_gets_what_is_the_trainers():
    settings = config.KfpConfig(
        profile="gpu", spot=True, image="data", trainer_image="cuda"
    )
    assert settings.node("Trainer").image == "cuda"
    assert settings.node("Transform").image == "data"
    assert settings.node("Transform").accelerator is None
    assert not settings.node("Transform").spot


def test_a_node_changes_what_it_names_and_nothing_else():
    changed = pods.PodConfig(memory_gb=50, node_selector={"pool": "big"})
    settings = config.KfpConfig(nodes={"Transform": changed})
    node = settings.node("Transform")
    assert (node.cpu, node.memory_gb) == (3.5, 50)
    assert platform_spec.kubernetes(node) == {
        "nodeSelector": {"labels": {"pool": "big"}},
        "pvcMount": [{"constant": "ncf", "mountPath": "/mnt/ncf"}],
        "activeDeadlineSeconds": "21600",
    }


POOL = {"team": "ads"}


def test_labels_and_taints_add_to_the_profiles():
    changed = {"node_selector": POOL, "tolerations": [{"key": "team"}]}
    node = _trainer(profile="gpu", nodes={"Trainer": changed})
    found = _placed(node)
    assert found["nodeSelector"]["labels"] == {
        "cloud.google.com/gke-accelerator": "nvidia-tesla-t4",
        "team": "ads",
    }
    assert [t["key"] for t in found["tolerations"]] == ["nvidia.com/gpu", "team"]


def test_unless_they_are_to_replace_them():
    changed = {"node_selector": POOL, "replace": ["node_selector", "tolerations"]}
    assert _placed(_trainer(profile="gpu", nodes={"Trainer": changed})) == {
        "nodeSelector": {"labels": POOL}
    }


def test_a_star_is_every_node_and_a_nodes_own_entry_comes_after_it():
    every = {"labels": {"cost-centre": "7"}, "tolerations": [{"key": "team"}], "cpu": 2}
    settings = _config(
        profile="gpu",
        nodes={"*": every, "Transform": {"cpu": 5, "labels": {"a": "b"}}},
    )
    transform, trainer = settings.node("Transform"), settings.node("Trainer")
    assert (transform.cpu, transform.memory_gb) == (5, 12)
    assert transform.labels == {"cost-centre": "7", "a": "b"}
    assert [t.key for t in trainer.tolerations] == ["nvidia.com/gpu", "team"]


@pytest.mark.parametrize(
    ("settings", "retries", "window"),
    [
        # Two attempts of a day, and a pause of a minute.
        ({}, 1, "172860s"),
        # Four attempts of ten hours; pauses of 1, 2 and 4 minutes.
        ({"spot": True, "nodes": {"Trainer": {"timeout_s": 36_000}}}, 3, "144420s"),
    ],
)
def test_retries_do_not_end_before_the_last_attempt(settings, retries, window):
    """Argo counts `maxDuration` from the start of the FIRST attempt."""
    policy = node_spec.retry_policy(_trainer(**settings))
    assert policy == {
        "maxRetryCount": retries,
        "backoffDuration": "60s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": window,
    }


def test_no_retries_if_none_are_wanted():
    assert node_spec.retry_policy(_trainer(nodes={"Trainer": {"retries": 0}})) == {}


def test_what_the_service_takes_at_most():
    policy = node_spec.retry_policy(_trainer(), longest_s=3600)
    assert policy["backoffMaxDuration"] == "3600s"


@pytest.mark.parametrize(
    ("node", "seconds"),
    [("Pusher", "3600"), ("Evaluator", "21600"), ("Trainer", "86400")],
)
def test_every_attempt_has_a_limit(node, seconds):
    spec = platform_spec.kubernetes(_config().node(node))
    assert spec["activeDeadlineSeconds"] == seconds


def test_all_that_a_pod_can_have():
    node = pods.PodConfig(
        labels={"kueue.x-k8s.io/queue-name": "ads"},
        annotations={"owner": "ads"},
        image_pull_secrets=["registry"],
        image_pull_policy="Always",
        shared_memory_gb=8,
        scratch=[{"mount_path": "/tmp", "size_gb": 100}],
        config_maps=[
            {"name": "c", "env": {"k": "K"}},
            {"name": "d", "mount_path": "/d"},
        ],
        run_as_user=1000,
    )
    assert platform_spec.kubernetes(node) == {
        "podMetadata": {
            "labels": {"kueue.x-k8s.io/queue-name": "ads"},
            "annotations": {"owner": "ads"},
        },
        "imagePullSecret": [{"secretName": "registry"}],
        "imagePullPolicy": "Always",
        "securityContext": {"runAsUser": "1000"},
        "emptyDirMounts": [
            {
                "volumeName": "shared-memory",
                "mountPath": "/dev/shm",
                "medium": "Memory",
                "sizeLimit": "8G",
            }
        ],
        "genericEphemeralVolume": [
            {
                "volumeName": "scratch-0",
                "mountPath": "/tmp",
                "accessModes": ["ReadWriteOnce"],
                "size": "100G",
                "defaultStorageClass": True,
            }
        ],
        "configMapAsEnv": [
            {
                "configMapName": "c",
                "keyToEnv": [{"configMapKey": "k", "envVar": "K"}],
            }
        ],
        "configMapAsVolume": [{"configMapName": "d", "mountPath": "/d"}],
    }


def test_several_gpus_get_the_shared_memory_that_nccl_needs():
    assert _trainer(profile="gpu", gpus=4).shared_memory_gb == 8
    assert _trainer(profile="gpu").shared_memory_gb is None


def test_training_without_the_profiles_gpus_fails():
    assert _config(profile="gpu", gpus=2).train["num_gpus"] == 2
    assert _config(gpus=2).train == {"strategy": "one_device"}


def test_a_node_can_refuse_the_profiles_accelerator():
    changed = pods.PodConfig(accelerator=None)
    settings = _config(profile="gpu", nodes={"Trainer": changed})
    assert "accelerator" not in node_spec.resources(settings.node("Trainer"))
    assert "num_gpus" not in settings.train


def test_secrets():
    node = pods.PodConfig(
        secrets=(
            pods.SecretConfig(name="db", env={"password": "DB_PASSWORD"}),
            pods.SecretConfig(name="key", mount_path="/etc/key"),
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
        ({"image": ""}, "'' names no image: a name is not empty and has no spaces"),
        ({"trainer_image": "ncf:1 "}, "'ncf:1 ' names no image"),
        ({"serving": "gs://b"}, "'gs://b', but must be a folder in the bucket"),
        ({"serving": "gs://b/"}, "checkpoints go into a folder beside it"),
        ({"serving": "gs://"}, "'gs://', but must be a folder in the bucket"),
        ({"serving": "/mnt/ncf/"}, "'/mnt/ncf/', but must be a folder in .* volume"),
        ({"serving": "gs://BUCKET/serving"}, "names no bucket: 'BUCKET'"),
        ({"nodes": {"a_b": {}}}, "letters, digits and inner hyphens.*got 'a_b'"),
        ({"nodes": {"A": {"gpu": 1}}}, "nodes.A.gpu: .*not permitted"),
        ({"profile": "gpu"}, "profile 'gpu' needs `trainer_image`"),
        ({"profile": "tpu"}, "profile 'tpu' needs `trainer_image`"),
        (
            {"profile": "gpu", "trainer_image": "c", "gpu": "L4", "gpus": 3},
            r"no machine .* has 3 GPUs of kind L4: .* one of \[1, 2, 4, 8\]",
        ),
        (
            {"profile": "gpu", "trainer_image": "c", "gpu": "H100", "gpus": 16},
            "has 16 GPUs of kind H100",
        ),
        (
            {"nodes": {"A": {"priority_class": "high"}}},
            "nodes.A: Kubeflow Pipelines has no `priority_class`: .*Kueue",
        ),
        (
            {"nodes": {"A": {"fs_group": 1000}}},
            "has no `fs_group`: the claim must be writable for user 1000",
        ),
        ({"nodes": {"A": {"replace": ["cpu"]}}}, r"`replace` names \['cpu'\]"),
        ({"nodes": {"A": {"labels": {"a b": "x"}}}}, "labels.a b.*got 'a b'"),
        ({"nodes": {"A": {"labels": {"a": "b c"}}}}, "labels.a: .*got 'b c'"),
        ({"nodes": {"A": {"labels": {"a": "x" * 64}}}}, "labels.a: .*pattern"),
        ({"nodes": {"A": {"node_selector": {"a/b/c": "d"}}}}, "got 'a/b/c'"),
        ({"nodes": {"A": {"annotations": {"": "d"}}}}, "annotations.*got ''"),
        ({"nodes": {"A": {"env": {"A B": "x"}}}}, "env.*got 'A B'"),
        ({"nodes": {"A": {"image_pull_secrets": ["My_Secret"]}}}, "got 'My_Secret'"),
        ({"nodes": {"A": {"secrets": [{"name": "S", "env": {"k": "V"}}]}}}, "got 'S'"),
        ({"nodes": {"A": {"tolerations": [{"key": "a b"}]}}}, "key: .*got 'a b'"),
        ({"volumes": [{"claim": "My_Claim", "mount_path": "/m"}]}, "got 'My_Claim'"),
        ({"notify": {"secret": "My_Secret"}}, "notify.secret: .*got 'My_Secret'"),
        ({"nodes": {"A": {"timeout_s": 0}}}, "timeout_s: .*greater than 0; got 0"),
        (
            {"nodes": {"A": {"secrets": [{"name": "s"}]}}},
            "either `env` or `mount_path`",
        ),
    ],
)
def test_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        config.load(None, **settings)


@pytest.mark.parametrize(
    ("settings", "claims"),
    [
        ({}, ["ncf"]),
        ({"serving": "gs://b/s"}, []),
        ({"serving": "gs://b/s", "volumes": [{"claim": "d", "mount_path": "/d"}]}, "d"),
    ],
)
def test_a_claim_that_nothing_is_in_is_not_waited_for(settings, claims):
    chosen = config.load(None, **settings)
    assert [volume.claim for volume in chosen.volumes] == list(claims)


@pytest.mark.parametrize("path", ["/mnt/ncf/a", "/mnt/ncf/a/", "/mnt/ncf/a/b"])
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
