"""Google Cloud on this machine, for the tests that talk to it."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "kubeflow"))
import gcs_emulator
import google_fake


@pytest.fixture
def google(tmp_path, monkeypatch):
    """Google Cloud on this machine, with the credentials to enter it."""
    with gcs_emulator.Emulator(tmp_path) as others, google_fake.Server() as server:
        server.start()
        others.accounts = server.accounts
        for name, value in others.environment.items():
            monkeypatch.setenv(name, value)
        login = tmp_path / "login.json"
        server.write_login(login)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(login))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server
        server.shutdown()
