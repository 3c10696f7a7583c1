import re

import pytest
from apache_beam.options import pipeline_options

from pipeline.kfp import config as kfp_config
from pipeline.vertex import config

DATAFLOW = {
    "project": "ncf-project",
    "region": "us-central1",
    "temp_location": "gs://bucket/temp",
    "image": "us-docker.pkg.dev/p/ncf/ncf-tfx@sha256:0123",
}


def _options(**settings):
    arguments = config.DataflowConfig(**DATAFLOW, **settings).beam_args()
    options = pipeline_options.PipelineOptions(list(arguments))
    return options.get_all_options(drop_default=True)  # without what Beam knows not


def test_beam_takes_the_arguments():
    assert _options() == {
        "runner": "DataflowRunner",
        "project": "ncf-project",
        "region": "us-central1",
        "temp_location": "gs://bucket/temp",
        "sdk_container_image": DATAFLOW["image"],
        "sdk_location": "container",
        "experiments": ["use_runner_v2"],
        "machine_type": "n1-standard-4",
        "autoscaling_algorithm": "THROUGHPUT_BASED",
        "num_workers": 1,
        "max_num_workers": 4,
        "disk_size_gb": 50,
        "labels": ["source=ncf"],
    }


def test_a_fixed_number_of_workers_in_a_private_network():
    options = _options(
        workers=3,
        max_workers=3,
        service_account="runner@p.iam.gserviceaccount.com",
        subnetwork="regions/us-central1/subnetworks/mine",
        public_ips=False,
    )
    assert options["autoscaling_algorithm"] == "NONE"
    assert options["service_account_email"] == "runner@p.iam.gserviceaccount.com"
    assert options["subnetwork"] == "regions/us-central1/subnetworks/mine"
    assert options["use_public_ips"] is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataflow": DATAFLOW, "beam_args": ["--x"]}, "give one of them"),
        ({"dataflow": {**DATAFLOW, "workers": 5}}, "at least `workers`, 5; got 4"),
        (
            {"dataflow": {**DATAFLOW, "temp_location": "/tmp"}},
            "dataflow.temp_location: .*'/tmp'",
        ),
    ],
)
def test_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        kfp_config.load_as(config.VertexConfig, None, serving="gs://b/s", **settings)


def test_the_workers_image_has_the_beam_that_is_locked(pytestconfig):
    root = pytestconfig.rootpath
    dockerfile = (root / "kubeflow" / "Dockerfile").read_text()
    python, beam = re.search(r"apache/beam_python(\S+)_sdk:(\S+)", dockerfile).groups()
    assert f"ARG BASE=python:{python}-" in dockerfile
    locked = (root / "requirements" / "current.txt").read_text()
    assert f"apache-beam=={beam} " in locked
