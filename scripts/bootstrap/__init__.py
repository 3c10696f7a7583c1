"""Makes the project's virtual environment, `.venv`.

The package chooses a line (a set of releases of TFX and what belongs to them), a Python
interpreter, and installs the locked packages. The package runs on any Python from 3.8
with nothing but the standard library, because there is no environment yet when it
starts. `scripts/bootstrap.sh` finds that Python.
"""
