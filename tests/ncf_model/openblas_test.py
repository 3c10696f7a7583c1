"""Which of OpenBLAS' kernels are chosen on which processor."""

import platform
import subprocess
import sys

import pytest

from ncf_model import openblas

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="other processors need no choice"
)
AVX2 = "fpu avx2 fma"
AVX512 = AVX2 + " avx512f avx512cd avx512bw avx512dq avx512vl"
CORE = """processor\t: {number}
vendor_id\t: {vendor}
cpu family\t: {family}
model\t\t: {model}
model name\t: Some Processor
flags\t\t: {flags}

"""


def _chosen(tmp_path, vendor, family, model, flags, environment=None):
    environment = {} if environment is None else environment
    cores = [
        CORE.format(number=n, vendor=vendor, family=family, model=model, flags=flags)
        for n in range(2)
    ]
    file = tmp_path / "cpuinfo"
    file.write_text("".join(cores))
    openblas.choose_kernels(environment, str(file))
    return environment.get("OPENBLAS_CORETYPE")


@pytest.mark.parametrize(
    ("vendor", "family", "model", "flags", "expected"),
    [
        ("GenuineIntel", 6, 207, AVX512, "SkylakeX"),  # Emerald Rapids
        ("GenuineIntel", 6, 183, AVX2, "Haswell"),  # Raptor Lake
        ("GenuineIntel", 6, 143, AVX512, None),  # Sapphire Rapids is known
        ("GenuineIntel", 6, 207, "fpu sse2", None),
        ("GenuineIntel", 6, 207, AVX512.replace("avx512vl", ""), "Haswell"),
        ("GenuineIntel", 18, 1, AVX512, "SkylakeX"),
        ("AuthenticAMD", 26, 2, AVX512, None),  # Zen 5: OpenBLAS chooses Cooper Lake's
        ("Another", 26, 2, AVX512, None),
    ],
)
def test_kernels_by_processor(tmp_path, vendor, family, model, flags, expected):
    assert _chosen(tmp_path, vendor, family, model, flags) == expected


def test_what_the_user_set_stays(tmp_path):
    given = {"OPENBLAS_CORETYPE": "Haswell"}
    assert _chosen(tmp_path, "GenuineIntel", 6, 207, AVX512, given) == "Haswell"


def test_a_processor_that_is_not_described(tmp_path):
    environment = {}
    openblas.choose_kernels(environment, str(tmp_path / "none"))
    assert _chosen(tmp_path, "GenuineIntel", "", "", AVX512, environment) is None


@pytest.mark.parametrize("chosen", ["openblas.choose_kernels", "cores.limit_threads"])
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("pipeline.cli", ""),
        ("pipeline.cluster.entrypoint", "[]"),
        ("ncf_model.train_job", "[]"),
    ],
)
def test_programs_choose_before_numpy_is_imported(module, arguments, chosen):
    """A variable that is set when OpenBLAS is loaded already does nothing."""
    script = (
        "import sys; from ncf_model import cores, openblas\n"
        f"import {module} as program\n"
        "def choose(_): sys.exit(3 if 'numpy' not in sys.modules else 'too late')\n"
        f"{chosen} = choose; program.main({arguments})"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == 3
