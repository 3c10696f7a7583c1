"""Converts TensorFlow Serving's JSON: requests to arrays, arrays to answers."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.serving.errors import RequestError
from pipeline.serving.loaded_model import Signature, TensorInfo

_INTEGERS: dict[str, type[np.signedinteger[Any]]] = {
    "DT_INT32": np.int32,
    "DT_INT64": np.int64,
}
_FLOATS = {"DT_FLOAT": np.float32, "DT_DOUBLE": np.float64}
_KEYS = {"signature_name", "instances", "inputs"}


def read_json(body: bytes) -> Any:
    """Returns the JSON value of `body`.

    Raises:
        RequestError: the body is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"The body must be JSON: {error}.") from None


def signature_name(request: Any) -> str:
    """Returns the name of the signature that a request calls.

    Raises:
        RequestError: the request is no object, has an unknown field, or does not have
            exactly one of `instances` and `inputs`.
    """
    if not isinstance(request, dict):
        raise RequestError(400, f"The body must be an object; got {_kind(request)}.")
    if unknown := sorted(request.keys() - _KEYS):
        raise RequestError(400, f"Unknown fields {unknown}; known are {sorted(_KEYS)}.")
    if ("instances" in request) == ("inputs" in request):
        raise RequestError(
            400, "There must be either `instances` (rows) or `inputs` (columns)."
        )
    name = request.get("signature_name", "serving_default")
    if not isinstance(name, str):
        raise RequestError(400, f"`signature_name` must be text; got {_kind(name)}.")
    return name


def inputs_of(
    request: Mapping[str, Any], signature: Signature, *, max_batch: int
) -> dict[str, np.ndarray]:
    """Returns an array per input of the signature.

    Args:
        request: a request that `signature_name` has accepted.
        signature: the signature that the request calls.
        max_batch: the largest number of rows.

    Raises:
        RequestError: an input is missing, unknown, irregular, of a wrong type or shape,
            or there are too many rows (413).
    """
    columns = (
        _columns_of_rows(request["instances"], signature)
        if "instances" in request
        else _columns(request["inputs"], signature)
    )
    arrays = {
        name: _array(value, signature.inputs[name], name)
        for name, value in columns.items()
    }
    for name, array in arrays.items():
        if array.ndim and len(array) > max_batch:
            raise RequestError(
                413, f"`{name}` has {len(array)} rows; at most {max_batch} are taken."
            )
    return arrays


def answer(outputs: Mapping[str, np.ndarray], *, by_row: bool) -> dict[str, Any]:
    """Returns the answer to `instances` (with `by_row`) or to `inputs`.

    Raises:
        RequestError: `by_row` is True, but an output has no rows.
    """
    values = {name: _plain(name, array) for name, array in outputs.items()}
    if not by_row:
        return {"outputs": next(iter(values.values())) if len(values) == 1 else values}
    sizes = {array.shape[0] if array.ndim else -1 for array in outputs.values()}
    if len(sizes) != 1 or -1 in sizes:
        raise RequestError(
            400,
            "The outputs have no common first dimension, so they cannot be given by "
            "row; ask with `inputs`.",
        )
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    rows = zip(*values.values(), strict=True)
    return {"predictions": [dict(zip(values, row, strict=True)) for row in rows]}


def _columns_of_rows(rows: Any, signature: Signature) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not rows:
        raise RequestError(400, "`instances` must be a list of one or more rows.")
    for name, info in signature.inputs.items():
        if info.shape == ():
            raise RequestError(
                400,
                f"The input `{name}` is one value for the whole request, which rows "
                "cannot hold; ask with `inputs`.",
            )
    if not all(_is_named(row) for row in rows):
        if any(_is_named(row) for row in rows):
            raise RequestError(400, "`instances` must all be objects, or none.")
        return {_only_input(signature): rows}
    for number, row in enumerate(rows):
        _check_names(row, signature, f"`instances[{number}]`")
    return {name: [row[name] for row in rows] for name in signature.inputs}


def _columns(inputs: Any, signature: Signature) -> dict[str, Any]:
    if not _is_named(inputs):
        return {_only_input(signature): inputs}
    _check_names(inputs, signature, "`inputs`")
    return dict(inputs)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() != {"b64"}


def _only_input(signature: Signature) -> str:
    if len(signature.inputs) != 1:
        raise RequestError(
            400,
            f"The signature has the inputs {sorted(signature.inputs)}, so each must be "
            "named.",
        )
    return next(iter(signature.inputs))


def _check_names(given: Mapping[str, Any], signature: Signature, where: str) -> None:
    if given.keys() != signature.inputs.keys():
        raise RequestError(
            400,
            f"{where} must have {sorted(signature.inputs)}; got {sorted(given)}.",
        )


def _array(value: Any, info: TensorInfo, name: str) -> np.ndarray:
    shape: list[int] = []
    inner = value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    leaves: list[Any] = []
    _flatten(value, tuple(shape), leaves, info, name)
    _check_shape(tuple(shape), info, name)
    dtype = (_INTEGERS | _FLOATS | {"DT_BOOL": np.bool_}).get(info.dtype, object)
    try:
        array = np.array(leaves, dtype)
    except OverflowError:
        raise RequestError(400, f"`{name}` does not fit {info.dtype}.") from None
    return array.reshape(shape)


def _flatten(
    value: Any, shape: tuple[int, ...], leaves: list[Any], info: TensorInfo, name: str
) -> None:
    if not shape:
        leaves.append(_leaf(value, info.dtype, name))
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise RequestError(400, f"`{name}` must be regular: rows of equal length.")
    for inner in value:
        _flatten(inner, shape[1:], leaves, info, name)


def _check_shape(shape: tuple[int, ...], info: TensorInfo, name: str) -> None:
    if info.shape is None:
        return
    fits = len(shape) == len(info.shape) and all(
        wanted in (-1, size) for wanted, size in zip(info.shape, shape, strict=True)
    )
    if not fits:
        raise RequestError(
            400,
            f"`{name}` must have the shape {list(info.shape)} (-1 is any number); got "
            f"{list(shape)}.",
        )


def _leaf(value: Any, dtype: str, name: str) -> Any:
    if dtype == "DT_STRING":
        return _text(value, name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype in _INTEGERS and is_number and isinstance(value, int):
        limit = 1 << (8 * _INTEGERS[dtype]().itemsize - 1)
        if -limit <= value < limit:
            return value
    elif (dtype in _FLOATS and is_number) or (
        dtype == "DT_BOOL" and isinstance(value, bool)
    ):
        return value
    raise RequestError(400, f"`{name}` must be {dtype}; got {_kind(value)}.")


def _text(value: Any, name: str) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise RequestError(400, f"`{name}` is not valid Unicode.") from None
    if isinstance(value, dict) and isinstance(value.get("b64"), str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError):
            raise RequestError(400, f"`{name}` is not valid base64.") from None
    raise RequestError(400, f"`{name}` must be DT_STRING; got {_kind(value)}.")


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return repr(value) if value is None or len(repr(value)) < 40 else "a long value"


def _plain(name: str, array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    if array.ndim == 0:
        return _decoded(array.item(), name)
    return [_plain(name, np.asarray(inner, object)) for inner in array]


def _decoded(value: bytes, name: str) -> Any:
    if not name.endswith("_bytes"):
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(value).decode()}
