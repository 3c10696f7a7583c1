"""The one error of the set-up."""


class SetupError(Exception):
    """The machine lacks something. The message is all that the user sees."""
