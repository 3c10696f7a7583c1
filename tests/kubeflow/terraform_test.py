"""Terraform's files say what the guides say, and Terraform can read them."""

import json
import re
import shutil
import subprocess

import pytest

from pipeline.cluster import machines

GUIDES = {"gke": "kubeflow/README.md", "vertex": "docs/vertex.md"}


@pytest.fixture(scope="module", params=sorted(GUIDES))
def target(request):
    return request.param


@pytest.fixture(scope="module")
def text(pytestconfig, target):
    folder = pytestconfig.rootpath / "kubeflow" / "terraform" / target
    return "\n".join(file.read_text() for file in sorted(folder.glob("*.tf")))


def test_it_grants_the_roles_of_the_guide(pytestconfig, target, text):
    guide = (pytestconfig.rootpath / GUIDES[target]).read_text()
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL))
    role = r"roles/[\w.]+"
    granted = set(re.findall(role, re.sub(r"#.*", "", text)))
    assert granted == set(re.findall(role, commands))


def test_it_enables_the_services_of_the_guide(pytestconfig, target, text):
    guide = (pytestconfig.rootpath / GUIDES[target]).read_text().replace("\\\n", " ")
    commands = re.findall(r"gcloud services enable (.*)", guide)
    service = r"\w+\.googleapis\.com"
    wanted = {name for line in commands for name in re.findall(service, line)}
    assert set(re.findall(rf'"({service})"', text)) == wanted


def test_the_buckets_rules_are_those_of_the_file(pytestconfig, text):
    file = pytestconfig.rootpath / "kubeflow" / "lifecycle.json"
    rules = [
        (rule["action"]["type"], rule["condition"])
        for rule in json.loads(file.read_text())["rule"]
    ]
    found = []
    for block in re.findall(r"lifecycle_rule \{(.*?\}.*?\})\s*\}", text, re.DOTALL):
        condition = {"age": int(re.search(r"age\s*=\s*(\d+)", block)[1])}
        if prefix := re.search(r'matches_prefix\s*=\s*\["([^"]+)"\]', block):
            condition["matchesPrefix"] = [prefix[1]]
        found.append((re.search(r'type = "(\w+)"', block)[1], condition))
    assert found == rules


def test_in_an_empty_project_services_are_enabled_before_anything_else(text):
    (values,) = re.findall(r"^locals \{(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    for name, value in re.findall(r"^  (\w+) *= (.*)$", values, re.MULTILINE):
        text = text.replace(f"local.{name}", value)
    blocks = re.findall(
        r'^(?:resource|data) "(\w+)" "(\w+)" \{(.*?)^\}', text, re.MULTILINE | re.DOTALL
    )
    after = {
        f"{kind}.{name}": set(re.findall(r"\bgoogle_\w+\.\w+", body))
        for kind, name, body in blocks
    }
    waiting = {"google_project_service.used"}
    while more := {name for name in after if after[name] & waiting} - waiting:
        waiting |= more
    assert waiting == set(after)


def test_variables_are_declared_and_used(text):
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert declared == set(re.findall(r"\bvar\.(\w+)", text))
    resources = {
        ".".join(found)
        for found in re.findall(r'^(?:resource|data) "(\w+)" "(\w+)"', text, re.M)
    }
    assert set(re.findall(r"\bgoogle_\w+\.\w+", text)) <= resources


def test_blocks_are_closed(text):
    depth = 0
    for bracket in re.findall(r"[{}]", re.sub(r"#.*", "", text)):
        depth += 1 if bracket == "{" else -1
        assert depth >= 0
    assert depth == 0


@pytest.mark.skipif(not shutil.which("terraform"), reason="Terraform is not installed")
def test_terraform_reads_them_and_would_format_nothing(pytestconfig, target):
    folder = pytestconfig.rootpath / "kubeflow" / "terraform" / target
    command = ["terraform", "fmt", "-check", "-diff", str(folder)]
    # `validate` would need the provider, which is not on every registry.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pools_are_machines_that_exist(pytestconfig):
    file = pytestconfig.rootpath / "kubeflow" / "terraform" / "gke" / "variables.tf"
    text = file.read_text()
    pools = re.findall(r'machine_type = "([^"]+)"(?:\s*gpu\s*= "([^"]+)")?', text)
    known = {
        (machine, kind.gke)
        for kind in machines.GPUS.values()
        for machine in kind.machines.values()
    }
    known |= {(host.machine, "") for host in machines.TPU_HOSTS.values()}
    assert len(pools) == 2
    assert set(pools) <= known
