"""Files of this package, by names that are valid on every machine."""

import importlib.resources

PACKAGED = "package://"


def resolve(text: str) -> str:
    """Returns the path of a file of an installed package; other text unchanged.

    Example:
        `package://pipeline/schema/schema.pbtxt` is the schema, wherever pip put it.

    Raises:
        ValueError: the package has no such file.
    """
    if not text.startswith(PACKAGED):
        return text
    package, _, path = text.removeprefix(PACKAGED).partition("/")
    file = importlib.resources.files(package).joinpath(path)
    if not file.is_file():
        raise ValueError(
            f"{text} names no file of the installed package `{package}`. Build the "
            "image from the version that compiled the pipeline."
        )
    return str(file)
