"""Tests that the source never does what SECURITY.md says that it does not do."""

import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("benchmarks", "components", "kubeflow", "ncf_model", "pipeline", "scripts")
FILES = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py"))]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
CALLS = {
    *("eval", "exec", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load"),
    *("tempfile.mktemp", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("pandas.read_pickle", "pd.read_pickle"),
}
# This module unpickles only what it wrote itself, checked by a digest; see its
# docstring.
MAY_PICKLE = {"ncf_model/sampling/compiled_cache.py"}


def _name(node):
    """Returns the dotted name of a call's function, such as `a.b.c`; "" without one."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}".lstrip(".")
    return ""


def faults(source, path="file.py"):
    """Yields a message for each forbidden call or import in a source text."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in MODULES and path not in MAY_PICKLE:
                yield f"{path}:{node.lineno} imports {name}"
        if isinstance(node, ast.Call):
            yield from (f"{path}:{node.lineno} {what}" for what in _faults_of(node))


def _faults_of(call):
    name = _name(call.func)
    given = {k.arg: ast.unparse(k.value) for k in call.keywords}
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name in CALLS or method in ("extractall", "extract"):
        yield f"calls {name or method}"
    if given.get("shell", "False") != "False":
        yield "starts a shell"
    if name == "yaml.load" and given.get("Loader") != "_Loader":
        yield "loads YAML with another loader"
    if given.get("allow_pickle", "False") != "False":
        yield "lets NumPy unpickle"
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        yield "loads NumPy's files without saying `allow_pickle=False`"
    if given.get("verify") == "False":
        yield "does not look at certificates"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from dill import loads",
        "eval(x)",
        "os.system('ls ' + x)",
        "subprocess.run(x, shell=True)",
        "yaml.load(x)",
        "yaml.load(x, Loader=yaml.Loader)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "zipfile.ZipFile(f).extractall(x)",
        "requests.get(x, verify=False)",
    ],
)
def test_is_found(source):
    assert list(faults(source))


def test_no_source_does_what_it_must_not():
    assert len(FILES) > 200
    found = [
        fault
        for path in FILES
        for fault in faults(path.read_text(), str(path.relative_to(ROOT)))
    ]
    assert not found


def test_the_yaml_loader_is_safe():
    import yaml

    from pipeline import yaml_values

    assert issubclass(yaml_values._Loader, yaml.SafeLoader)
    with pytest.raises(ValueError, match="could not determine a constructor"):
        yaml_values.read("!!python/object/apply:os.system ['true']")


def test_no_script_pipes_the_network_into_a_shell():
    scripts = [*ROOT.glob("scripts/*.sh"), *ROOT.glob("kubeflow/**/Dockerfile*")]
    assert scripts
    for path in scripts:
        for line in path.read_text().splitlines():
            fetched = "curl" in line or "wget" in line
            assert not (fetched and "|" in line and "sh" in line.split("|")[-1]), path


_WALK = """
import importlib, pkgutil, sys

def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        sys.exit(f"{event} {args[1:]}")

sys.addaudithook(refuse)
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
        importlib.import_module(module.name)
"""


def _walk(*names):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WALK, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_no_import_asks_the_network():
    done = _walk("components", "ncf_model", "pipeline")
    assert done.returncode == 0, done.stderr[-500:]


def test_an_import_that_asks_is_found(tmp_path, monkeypatch):
    source = "import socket\nsocket.create_connection(('127.0.0.1', 9))\n"
    (tmp_path / "asks.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "socket." in _walk("asks").stderr


# A private key, and keys of AWS, GitHub, Google and Slack.
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}"
    r"|AIza[0-9A-Za-z_-]{35}|xox[abp]-[0-9A-Za-z-]{10}"
)


def _tracked():
    """Returns the files that git tracks; without git, the source files."""
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        return FILES
    listed = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if (ROOT / name).is_file()]


def test_no_file_holds_a_secret():
    files = _tracked()
    assert len(files) > 100
    found = [path for path in files if SECRET.search(path.read_text(errors="replace"))]
    assert not found
    assert SECRET.search("key = AKIA" + "A" * 16)


@pytest.mark.parametrize("umask", [0o077, 0o027])
def test_files_follow_the_umask(tmp_path, umask):
    from pipeline.data import titles
    from pipeline.local import lock

    before = os.umask(umask)
    try:
        with lock.alone(tmp_path / "out", doing="a test"):
            titles.write({"1": "one"}, tmp_path / "out")
    finally:
        os.umask(before)
    for path in (tmp_path / "out", *(tmp_path / "out").iterdir()):
        assert not path.stat().st_mode & umask, path
