import pytest

from scripts.bootstrap import pip_settings


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """A user with a home folder and no settings, on a machine without settings."""
    monkeypatch.setattr(pip_settings, "SYSTEM_FOLDER", str(tmp_path / "etc"))
    return {"HOME": str(tmp_path)}


def _pip_conf(tmp_path, text):
    path = tmp_path / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_nothing_told(environ):
    assert pip_settings.for_uv(environ) == {}


def test_variables_are_passed_on(environ):
    environ["PIP_INDEX_URL"] = "https://index.example/simple"
    environ["PIP_DEFAULT_TIMEOUT"] = "180"
    assert pip_settings.for_uv(environ) == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_file_is_passed_on_and_the_install_section_wins(environ, tmp_path):
    _pip_conf(
        tmp_path,
        "[global]\nindex-url = https://u:p%40ss@one.example/simple\ncert = /ca.pem\n"
        "[install]\nindex_url = https://u:p%40ss@two.example/simple\n",
    )
    assert pip_settings.for_uv(environ) == {
        "UV_DEFAULT_INDEX": "https://u:p%40ss@two.example/simple",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_variable_wins_over_the_file(environ, tmp_path):
    _pip_conf(tmp_path, "[global]\nindex-url = https://one.example/simple\n")
    environ["PIP_INDEX_URL"] = "https://two.example/simple"
    added = pip_settings.for_uv(environ)
    assert added == {"UV_DEFAULT_INDEX": "https://two.example/simple"}


def test_user_wins_over_the_system(environ, tmp_path):
    _pip_conf(tmp_path, "[global]\nindex-url = https://one.example/simple\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pip.conf").write_text(
        "[global]\nindex-url = https://two.example/simple\nproxy = http://proxy:3128\n"
    )
    assert pip_settings.for_uv(environ) == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "ALL_PROXY": "http://proxy:3128",
    }


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_what_uv_was_told_wins(environ, name):
    environ["PIP_INDEX_URL"] = "https://one.example/simple"
    environ[name] = "https://two.example/simple"
    assert pip_settings.for_uv(environ) == {}


def test_uv_toml_wins(environ, tmp_path):
    environ["PIP_INDEX_URL"] = "https://one.example/simple"
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").touch()
    assert pip_settings.for_uv(environ) == {}


def test_local_folders_are_not_passed_on(environ):
    environ["PIP_FIND_LINKS"] = "/wheels"
    environ["PIP_EXTRA_INDEX_URL"] = "file:///simple"
    assert pip_settings.for_uv(environ) == {}


def test_dev_null_means_no_files(environ, tmp_path):
    _pip_conf(tmp_path, "[global]\nindex-url = https://one.example/simple\n")
    environ["PIP_CONFIG_FILE"] = "/dev/null"
    assert pip_settings.for_uv(environ) == {}
