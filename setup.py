"""Metadata of the distribution.

Beam's option `--setup_file` takes this file too, to install the project on remote
workers.
"""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).resolve().parent


def _requirements() -> list[str]:
    """Returns the lines of requirements.in, the one place that names dependencies."""
    text = (HERE / "requirements" / "requirements.in").read_text(encoding="utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


setuptools.setup(
    name="ncf-tfx",
    version="0.1.0",
    description="A TFX pipeline that trains, evaluates and ships a NeuMF recommender",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=setuptools.find_packages(
        include=["components*", "ncf_model*", "pipeline*"]
    ),
    package_data={
        "components.report": ["*.css", "*.j2"],
        "pipeline": ["configs/*.yaml", "schema/*.pbtxt"],
        "pipeline.serving": ["*.html", "*.j2"],
    },
    install_requires=_requirements(),
    entry_points={"console_scripts": ["ncf = pipeline.command:main"]},
)
