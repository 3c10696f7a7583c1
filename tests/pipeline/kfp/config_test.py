"""Settings of a cluster from a file and from the command line."""

import re

import pytest

from pipeline.kfp import config


@pytest.mark.parametrize("text", ["", "profile: cpu\n"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpu": "L4"}, "`gpu` must go with profile 'gpu'; the profile is 'cpu'"),
        ({"gpus": 2}, "`gpus` must go with profile 'gpu'"),
        ({"topology": "2x2"}, "`topology` must go with profile 'tpu'"),
    ],
)
def test_an_accelerator_that_the_profile_leaves_out(tmp_path, text, changes, message):
    file = tmp_path / "gke.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        config.load(file, **changes)


def test_a_file_keeps_the_gpus_of_another_profile(tmp_path):
    file = tmp_path / "gke.yaml"
    file.write_text("profile: gpu\ngpu: L4\ngpus: 2\ntrainer_image: i\n")
    assert config.load(file, profile="cpu").strategy == "one_device"


@pytest.mark.parametrize("text", ["gpu: L4\n", "profile: cpu\ngpu: L4\n"])
@pytest.mark.parametrize("profile", [None, "cpu"])
def test_a_file_names_gpus_without_their_profile(tmp_path, text, profile):
    file = tmp_path / "gke.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match="`gpu` must go with profile 'gpu'"):
        config.load(file, profile=profile)


def test_the_guides_settings_are_valid_as_files(pytestconfig, tmp_path):
    """YAML reads some words, such as a key `on`, as something else."""
    text = (pytestconfig.rootpath / "kubeflow" / "README.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    file = tmp_path / "gke.yaml"
    file.write_text("serving: gs://b/s\n" + "".join(blocks))
    settings = config.load(file)
    assert settings.notify == config.NotifyConfig(secret="slack")
    assert settings.model_registry.name == "ncf"
    assert settings.node("Transform").labels["cost-centre"] == "4711"


def test_file_and_changes(tmp_path):
    file = tmp_path / "gke.yaml"
    file.write_text("image: a:1\ntrainer_image: c:1\nprofile: gpu\n")
    settings = config.load(file, image="b:2", gpu=None)
    assert (settings.image, settings.profile, settings.gpu) == ("b:2", "gpu", "T4")
    with pytest.raises(ValueError, match="No platform file"):
        config.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image: [", "cannot be read: not valid YAML, line 1"),
        ("nodes: {A: {cpu: 1}, A: {cpu: 2}}", "the key `A` is there twice"),
        (b"image: \xff", "cannot be read: .*utf-8"),
        (None, "cannot be read: .*directory"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, text, message):
    file = tmp_path / "gke.yaml"
    if text is None:
        file.mkdir()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"(?s)platform file .*gke.yaml .*{message}"):
        config.load(file)


def test_a_file_may_merge_what_it_says_once(tmp_path):
    file = tmp_path / "gke.yaml"
    file.write_text(
        "nodes:\n"
        "  Trainer: &one {cpu: 4, retries: 3}\n"
        "  StatisticsGen: &two {<<: *one, cpu: 2}\n"
        "  Transform: {<<: *two, memory_gb: 9}\n"
    )
    nodes = config.load(file).nodes
    assert (nodes["StatisticsGen"].cpu, nodes["StatisticsGen"].retries) == (2, 3)
    assert (nodes["Transform"].cpu, nodes["Transform"].memory_gb) == (2, 9)
