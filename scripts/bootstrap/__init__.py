"""Makes the project's environment: which line, which Python, which packages.

Runs on any Python from 3.8 with nothing but the standard library, for it starts before
there is an environment. `scripts/bootstrap.sh` finds that Python.
"""
