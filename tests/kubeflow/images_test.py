"""What container images are built from and as which user they run, by their files."""

import importlib.metadata
import json
import re
import subprocess
import sys

import pytest
import yaml


@pytest.fixture(scope="module")
def kubeflow(pytestconfig):
    return pytestconfig.rootpath / "kubeflow"


def test_every_image_runs_as_a_number_that_is_not_root(kubeflow):
    """Under runAsNonRoot Kubernetes refuses an image whose user is a name."""
    stages = (kubeflow / "Dockerfile").read_text().split("\nFROM ")
    ends = {
        stage.splitlines()[0].split()[-1]: re.findall(r"^USER (.*)$", stage, re.M)
        for stage in stages
    }
    for target in ("cpu", "gpu", "tpu", "dataflow"):
        assert ends[target][-1] == "1000:1000", target


def test_nothing_is_installed_without_a_hash_or_from_an_index(kubeflow):
    text = (kubeflow / "Dockerfile").read_text() + (kubeflow / "install.sh").read_text()
    commands = re.findall(r"pip install [^&]*", text.replace("\\\n", " "))
    assert len(commands) >= 5
    for command in commands:
        locked = "--require-hashes" in command
        offline = "--no-index" in command and "--no-build-isolation" in command
        assert locked or offline or "libtpu" in command, command


def test_the_build_context_has_no_runs_and_no_environment(pytestconfig):
    root = pytestconfig.rootpath
    for name in (".gcloudignore", "kubeflow/Dockerfile.dockerignore"):
        rules = (root / name).read_text().split("\n")
        rules = [rule for rule in rules if rule and not rule.startswith("#")]
        assert rules[0] == "*"
        let_in = {rule.strip("!/*").partition("/")[0] for rule in rules if "!" in rule}
        assert not let_in & {"runs", ".venv", "data", "out", ".git", ".uv"}
        assert {"components", "ncf_model", "pipeline", "setup.py"} <= let_in


def test_cloud_build_builds_from_digests(kubeflow):
    build = yaml.safe_load((kubeflow / "cloudbuild.yaml").read_text())
    commands = {step["id"]: step["args"][-1] for step in build["steps"]}
    assert "RepoDigests" in commands["pin the bases"]
    assert "BASE=$$(cat /workspace/base)" in commands["build"]
    # A variable that Cloud Build itself must not fill in has two dollar signs.
    known = set(build["substitutions"])
    for command in commands.values():
        assert set(re.findall(r"(?<!\$)\$(\w+)", command)) <= known


def test_bill_of_materials_of_this_environment(kubeflow, tmp_path):
    command = [sys.executable, str(kubeflow / "sbom.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=120)
    bill = json.loads((tmp_path / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    found = {item["name"]: item for item in bill["components"]}
    assert found["pydantic"]["version"] == importlib.metadata.version("pydantic")
    assert found["pydantic"]["licenses"] == [{"license": {"name": "MIT"}}]
    assert "Apache" in found["tfx"]["licenses"][0]["license"]["name"]
    assert len({item["bom-ref"] for item in bill["components"]}) == len(found)
    lines = (tmp_path / "licences.txt").read_text().splitlines()
    assert len(lines) == len(found)
