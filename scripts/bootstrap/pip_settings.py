"""Translates the user's pip settings about the package index into settings of uv.

uv does not read pip's settings, and many machines have their index, proxy and
certificates in PIP_* variables or a pip.conf and nowhere else.
"""

from __future__ import annotations

import configparser
import os
from typing import Mapping

SYSTEM_FOLDER = "/etc"

# For each option of pip the variables that say the same to uv. The first of them is
# set, unless the user has set one of them. pip's extra-index-url and find-links are not
# translated: uv takes a package from the first index that has its name, so an extra
# index with an odd copy would hide the releases that are locked.
_UV_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "trusted-host": ("UV_INSECURE_HOST",),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
    "cert": ("SSL_CERT_FILE",),
    "proxy": ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "all_proxy"),
}


def for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables to add to `environ`; what the user told uv itself stays."""
    told = {**_from_files(environ), **_from_environment(environ)}
    if "UV_CONFIG_FILE" in environ or any(map(os.path.exists, _uv_files(environ))):
        told.pop("index-url", None)
    added: dict[str, str] = {}
    for option, variables in _UV_VARIABLES.items():
        value = told.get(option)
        if value and not any(name in environ for name in variables):
            added.setdefault(variables[0], value)
    return added


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        _option(name[len("PIP_") :]): value
        for name, value in environ.items()
        if name.startswith("PIP_")
    }


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the options in pip's files, read in pip's order; later ones win.

    Within a file the section [install] wins over [global].
    """
    told: dict[str, str] = {}
    for path in _pip_files(environ):
        # Without interpolation, because a password in an address may have a %.
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself tells the user about such a file.
        for section in ("global", "install"):
            if parser.has_section(section):
                told.update({_option(k): v for k, v in parser.items(section)})
    return told


def _pip_files(environ: Mapping[str, str]) -> list[str]:
    own = environ.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:  # This is how a user tells pip to read no files.
        return []
    home = environ.get("HOME", "")
    shared = environ.get("XDG_CONFIG_DIRS") or os.path.join(SYSTEM_FOLDER, "xdg")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return [
        *(os.path.join(d, "pip", "pip.conf") for d in shared.split(os.pathsep)),
        os.path.join(SYSTEM_FOLDER, "pip.conf"),
        os.path.join(home, ".pip", "pip.conf"),
        os.path.join(config, "pip", "pip.conf"),
        *([own] if own else []),
    ]


def _uv_files(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("HOME", "")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return [
        os.path.join(config, "uv", "uv.toml"),
        os.path.join(SYSTEM_FOLDER, "uv", "uv.toml"),
    ]


def _option(name: str) -> str:
    return name.lower().replace("_", "-")
