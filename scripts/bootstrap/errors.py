"""The one error of the set-up."""


class SetupError(Exception):
    """The set-up cannot go on. The user sees the message and no traceback."""
