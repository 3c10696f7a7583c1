"""`kubeflow/up.sh` with stand-ins for gcloud, Terraform and kubectl."""

import os
import re
import subprocess

import pytest
import typer.main

from pipeline import cli

# Each stand-in records how it was called, and answers what the script asks.
_STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $*" in
*"$FAILS"*) exit 3 ;;
*"output -raw runner"*) echo ncf-runner@p.iam.gserviceaccount.com ;;
*"output -raw repository"*) echo us-central1-docker.pkg.dev/p/ncf ;;
*"images describe"*) echo us-central1-docker.pkg.dev/p/ncf/ncf-tfx@sha256:12 ;;
*"get account"*) echo me@example.com ;;
esac
"""
_PROGRAMS = ("gcloud", "terraform", "kubectl", "curl", "ncf")


@pytest.fixture
def up(tmp_path, pytestconfig):
    """Returns a function that runs the script: exit status, calls, errors."""
    for program in _PROGRAMS:
        file = tmp_path / program
        file.write_text(_STAND_IN)
        file.chmod(0o755)
    (tmp_path / "data.csv").write_text("user,item,time\n")
    calls = tmp_path / "calls"

    def run(*arguments, fails="nothing"):
        calls.write_text("")
        done = subprocess.run(
            ["sh", str(pytestconfig.rootpath / "kubeflow" / "up.sh"), *arguments],
            cwd=tmp_path,
            env={
                "PATH": f"{tmp_path}:{os.defpath}",
                "CALLS": str(calls),
                "FAILS": fails,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, calls.read_text().splitlines(), done.stderr

    return run


def _parsed(call):
    """Returns the options that `ncf` parses from a call; an invalid option fails."""
    _, group, name, *arguments = call.split()
    command = typer.main.get_command(cli.app).get_command(None, group).commands[name]
    return command.make_context(name, arguments).params


@pytest.mark.parametrize("target", ["gke", "vertex"])
def test_from_an_empty_project_to_a_run(up, target):
    status, calls, errors = up(target, "p", "b", "data.csv")
    assert status == 0, errors
    kinds = [" ".join(call.split()[:2]) for call in calls]
    order = ["gcloud services", "gcloud builds", "ncf compile", "ncf submit"]
    assert [kinds.index(kind) for kind in order] == sorted(map(kinds.index, order))
    assert any(" apply -var project=p -var bucket=b" in call for call in calls)
    compiled, submitted = (_parsed(c) for c in calls if c.startswith("ncf "))
    assert compiled["image"].endswith("/ncf-tfx@sha256:12")
    assert compiled["serving"] == "gs://b/serving"
    assert compiled["output"] == submitted["file"]
    assert submitted["param"] == ["data_path=gs://b/data/data.csv"]
    runner = "ncf-runner@p.iam.gserviceaccount.com"
    account = {"gke": "google_account", "vertex": "service_account"}[target]
    assert submitted[account] == runner
    root = {"gke": submitted, "vertex": compiled}[target]["root"]
    assert root == "gs://b/runs"


@pytest.mark.parametrize("target", ["gke", "vertex"])
def test_what_it_gives_terraform_is_declared_there(up, pytestconfig, target):
    _, calls, _ = up(target, "p", "b", "data.csv")
    folder = pytestconfig.rootpath / "kubeflow" / "terraform" / target
    text = "".join(file.read_text() for file in folder.glob("*.tf"))
    given = set(re.findall(r"-var (\w+)=", "\n".join(calls)))
    declared = dict(
        re.findall(r'^variable "(\w+)" \{(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    )
    assert {name for name, body in declared.items() if " default " not in body} <= given
    assert given <= declared.keys()
    asked = set(re.findall(r"output -raw (\w+)", "\n".join(calls)))
    assert asked == set(re.findall(r'output "(\w+)"', text))


def test_kubeflow_is_installed_as_the_guide_says(up, pytestconfig):
    guide = (pytestconfig.rootpath / "kubeflow" / "README.md").read_text()
    version = re.search(r"VERSION=(\S+)", guide)[1]
    said = guide.replace("$VERSION", version).replace('"', "")
    _, calls, _ = up("gke", "p", "b", "data.csv")
    installing = [c for c in calls if re.match("kubectl (apply|wait|port-)", c)]
    assert len(installing) == 4
    for call in installing:
        assert call in said


def test_nothing_follows_what_failed(up):
    status, calls, _ = up("vertex", "p", "b", "data.csv", fails="apply -var")
    assert status == 3
    assert " apply " in calls[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "kubeflow/up.sh gke|vertex PROJECT BUCKET"),
        (("aws", "p", "b", "data.csv"), "kubeflow/up.sh gke|vertex PROJECT BUCKET"),
        (("gke", "p", "b", "other.csv"), "There is no file other.csv."),
    ],
)
def test_wrong_words_make_nothing(up, arguments, says):
    status, calls, errors = up(*arguments)
    assert (status, calls) == (2, [])
    assert says in errors
