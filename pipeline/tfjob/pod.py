"""Makes the pod of a TFJob's worker, with all settings that a node can have."""

from collections.abc import Sequence

from kubernetes import client

from pipeline.kfp.pods import ConfigMapConfig, PodConfig, SecretConfig, TolerationConfig

_CONTAINER = "tensorflow"  # The operator gives TF_CONFIG to this container.
_Mount = tuple[client.V1Volume, str]


def template(
    node: PodConfig,
    command: Sequence[str],
    flags: dict[str, str],
    service_account: str | None,
) -> client.V1PodTemplateSpec:
    """Returns the pod template of a worker; fields that are None are not written.

    Args:
        node: the settings of the node Trainer.
        command: of the container.
        flags: the arguments of the command, by name.
        service_account: of the pod.
    """
    volumes = _volumes(node)
    resources = _resources(node)
    container = client.V1Container(
        name=_CONTAINER,
        image=node.image,
        image_pull_policy=node.image_pull_policy,
        command=list(command),
        args=[part for flag in flags.items() for part in flag],
        env=_environment(node) or None,
        resources=client.V1ResourceRequirements(requests=resources, limits=resources),
        volume_mounts=[
            client.V1VolumeMount(name=volume.name, mount_path=path)
            for volume, path in volumes
        ],
    )
    user = node.run_as_user
    spec = client.V1PodSpec(
        containers=[container],
        volumes=[volume for volume, _ in volumes],
        node_selector=node.node_selector,
        tolerations=[_toleration(toleration) for toleration in node.tolerations],
        service_account_name=service_account,
        image_pull_secrets=[
            client.V1LocalObjectReference(name=name) for name in node.image_pull_secrets
        ]
        or None,
        security_context=client.V1PodSecurityContext(run_as_user=user)
        if user
        else None,
    )
    metadata = client.V1ObjectMeta(
        labels=node.labels or None, annotations=node.annotations or None
    )
    asked = node.labels or node.annotations
    return client.V1PodTemplateSpec(metadata=metadata if asked else None, spec=spec)


def _volumes(node: PodConfig) -> list[_Mount]:
    """Returns all volumes and their mounts."""
    claims = [
        client.V1Volume(
            name=f"claim-{i}",
            persistent_volume_claim=client.V1PersistentVolumeClaimVolumeSource(
                claim_name=volume.claim
            ),
        )
        for i, volume in enumerate(node.volumes)
    ]
    return [
        *zip(claims, (volume.mount_path for volume in node.volumes), strict=True),
        *_files(node),
        *_of_the_pod(node),
    ]


def _files(node: PodConfig) -> list[_Mount]:
    """Returns the volumes of secrets and config maps that are mounted as files."""
    secrets = [(s.name, s.mount_path) for s in node.secrets if s.mount_path]
    maps = [(m.name, m.mount_path) for m in node.config_maps if m.mount_path]
    return [
        (
            client.V1Volume(
                name=f"secret-{i}",
                secret=client.V1SecretVolumeSource(secret_name=name),
            ),
            path,
        )
        for i, (name, path) in enumerate(secrets)
    ] + [
        (
            client.V1Volume(
                name=f"config-map-{i}",
                config_map=client.V1ConfigMapVolumeSource(name=name),
            ),
            path,
        )
        for i, (name, path) in enumerate(maps)
    ]


def _of_the_pod(node: PodConfig) -> list[_Mount]:
    """Returns the volumes that live as long as the pod."""
    found = [
        (
            client.V1Volume(
                name=f"scratch-{i}",
                ephemeral=client.V1EphemeralVolumeSource(
                    volume_claim_template=client.V1PersistentVolumeClaimTemplate(
                        spec=client.V1PersistentVolumeClaimSpec(
                            access_modes=["ReadWriteOnce"],
                            storage_class_name=volume.storage_class,
                            resources=client.V1ResourceRequirements(
                                requests={"storage": f"{volume.size_gb:g}G"}
                            ),
                        )
                    )
                ),
            ),
            volume.mount_path,
        )
        for i, volume in enumerate(node.scratch)
    ]
    if node.shared_memory_gb is not None:
        memory = client.V1EmptyDirVolumeSource(
            medium="Memory", size_limit=f"{node.shared_memory_gb:g}G"
        )
        volume = client.V1Volume(name="shared-memory", empty_dir=memory)
        found.append((volume, "/dev/shm"))
    return found


def _toleration(toleration: TolerationConfig) -> client.V1Toleration:
    given = {key: value or None for key, value in toleration.model_dump().items()}
    return client.V1Toleration(**given)


def _resources(node: PodConfig) -> dict[str, str]:
    resources = {}
    if node.cpu is not None:
        resources["cpu"] = f"{node.cpu:g}"
    if node.memory_gb is not None:
        resources["memory"] = f"{node.memory_gb:g}G"
    if node.accelerator is not None:
        resources[node.accelerator.resource] = str(node.accelerator.count)
    return resources


def _environment(node: PodConfig) -> list[client.V1EnvVar]:
    """Returns plain variables, then those from secrets and config maps."""
    given = (*node.secrets, *node.config_maps)
    return [
        *(client.V1EnvVar(name=n, value=v) for n, v in sorted(node.env.items())),
        *(
            client.V1EnvVar(name=variable, value_from=_source(one, key))
            for one in given
            for key, variable in sorted(one.env.items())
        ),
    ]


def _source(one: SecretConfig, key: str) -> client.V1EnvVarSource:
    if isinstance(one, ConfigMapConfig):
        reference = client.V1ConfigMapKeySelector(name=one.name, key=key)
        return client.V1EnvVarSource(config_map_key_ref=reference)
    return client.V1EnvVarSource(
        secret_key_ref=client.V1SecretKeySelector(name=one.name, key=key)
    )
