"""A version of the model in memory, and its signatures."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline import start_up
from pipeline.serving.errors import RequestError

_NOT_A_REASON = ("Graph execution error", "Detected at node", "<stack", "File", "[[")
# The files with the raw ids, one per line, in the order of their indices.
_USERS, _ITEMS = "user_id", "item_id"


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """A signature's input or output.

    Attributes:
        dtype: TensorFlow's name of the type, such as "DT_STRING".
        shape: -1 for a size that may vary; None if the rank may vary.
        tensor: the name of the tensor in the graph.
    """

    dtype: str
    shape: tuple[int, ...] | None
    tensor: str


@dataclasses.dataclass(frozen=True)
class Signature:
    """A function of the model that clients may call.

    Attributes:
        inputs: the inputs by name.
        outputs: the outputs by name.
        method: the method in TensorFlow Serving, such as "tensorflow/serving/predict".
    """

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method: str


class LoadedModel:
    """A SavedModel that answers; safe to call from several threads.

    Attributes:
        version: the model's number.
        folder: the folder from which the model was loaded.
        signatures: the signatures by name.
    """

    def __init__(self, version: int, folder: str) -> None:
        """Loads the version in `folder`; nothing is compiled yet."""
        self._tf = start_up.import_tensorflow()
        self.version, self.folder = version, folder
        self.signatures = _signatures(self._tf, folder)
        self._loaded = self._tf.saved_model.load(folder)

    def prepare(self) -> None:
        """Does the work for which the first request would otherwise wait."""
        self.knows_user("")
        self.knows_item("")
        self._warm_up()

    @functools.cached_property
    def user_ids(self) -> list[str]:
        """Raw ids of users, the most active first; [] if the export has none."""
        return list(self.each_user())

    @functools.cached_property
    def item_ids(self) -> list[str]:
        """Raw ids of items, the most popular first."""
        return list(_lines(self._tf, self.folder, _ITEMS))

    def each_user(self) -> Iterator[str]:
        """Yields `user_ids` without keeping them in memory."""
        return _lines(self._tf, self.folder, _USERS)

    @functools.cached_property
    def _known_users(self) -> frozenset[str]:
        return frozenset(self.user_ids)

    @functools.cached_property
    def _known_items(self) -> frozenset[str]:
        return frozenset(self.item_ids)

    def knows_user(self, user_id: str) -> bool:
        """Whether the model was trained with this user."""
        return user_id in self._known_users

    def knows_item(self, item_id: str) -> bool:
        """Whether the model was trained with this item."""
        return item_id in self._known_items

    def signature(self, name: str) -> Signature:
        """Returns the signature `name`.

        Raises:
            RequestError: the model has no such signature.
        """
        if name not in self.signatures:
            raise RequestError(
                400,
                f"Version {self.version} has no signature {name!r}; it has "
                f"{sorted(self.signatures)}.",
            )
        return self.signatures[name]

    def call(self, name: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the outputs of signature `name` as arrays.

        Args:
            name: of the signature.
            inputs: arrays, or values for arrays, of the types of its inputs.

        Raises:
            RequestError: there is no such signature, or the model refuses the values.
        """
        infos = self.signature(name).inputs
        tf = self._tf
        try:
            tensors = {
                key: tf.constant(value, tf.as_dtype(_number(tf, infos[key].dtype)))
                for key, value in inputs.items()
            }
            outputs = self._loaded.signatures[name](**tensors)
        except (tf.errors.InvalidArgumentError, ValueError, TypeError) as error:
            raise RequestError(400, _first_line(error)) from None
        return {key: value.numpy() for key, value in outputs.items()}

    def recommend(
        self, user_ids: Sequence[str], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns item ids [B, k] bytes, b"" where none is left, and scores [B, k]."""
        return self._lists("recommend", {"user_id": list(user_ids), "k": k})

    def recommend_for_items(
        self, baskets: Sequence[Sequence[str]], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the best items for users of whom only a few items are known."""
        width = max((len(basket) for basket in baskets), default=0)
        padded = np.full((len(baskets), width), b"", object)
        for row, basket in zip(padded, baskets, strict=True):
            row[: len(basket)] = [item.encode() for item in basket]
        return self._lists("recommend_for_items", {"item_ids": padded, "k": k})

    def similar_items(
        self, item_ids: Sequence[str], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the items most similar to each [B, k], and similarities [B, k]."""
        return self._lists("similar_items", {"item_id": list(item_ids), "k": k})

    def history(self, user_id: str) -> list[str]:
        """Returns the items of a user, the latest first; [] for an unknown user."""
        self._require("history")
        answer = self.call("history", {"user_id": [user_id]})
        return [item.decode() for item in answer["item_ids"][0][::-1] if item]

    def _lists(
        self, name: str, inputs: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        self._require(name)
        answer = self.call(name, inputs)
        return answer["item_ids"], answer["scores"]

    def _require(self, name: str) -> None:
        if name not in self.signatures:
            raise RequestError(
                501,
                f"Version {self.version} was exported without the signature {name!r}; "
                f"it has {sorted(self.signatures)}. Train and push anew to have it.",
            )

    def _warm_up(self) -> None:
        """Calls each signature, because first calls complete TensorFlow's graphs."""
        users, items = self.user_ids[:1] or ["?"], self.item_ids[:1] or ["?"]
        calls: dict[str, dict[str, Any]] = {
            "recommend": {"user_id": users, "k": 10},
            "serving_default": {"user_id": users, "item_id": items},
            "recommend_for_items": {"item_ids": [items], "k": 10},
            "similar_items": {"item_id": items, "k": 10},
            "history": {"user_id": users},
        }
        for name, inputs in calls.items():
            if name in self.signatures and inputs.keys() == (
                self.signatures[name].inputs.keys()
            ):
                for _ in range(2):  # From the second call on, the graph is optimised.
                    self.call(name, inputs)


def _signatures(tf: Any, folder: str) -> dict[str, Signature]:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(f"{folder}/saved_model.pb", "rb") as f:
        saved.ParseFromString(f.read())
    return {
        name: Signature(
            inputs={key: _info(tf, info) for key, info in sorted(d.inputs.items())},
            outputs={key: _info(tf, info) for key, info in sorted(d.outputs.items())},
            method=d.method_name,
        )
        for name, d in saved.meta_graphs[0].signature_def.items()
        if not name.startswith("__")
    }


def _info(tf: Any, info: Any) -> TensorInfo:
    shape = info.tensor_shape
    return TensorInfo(
        dtype="DT_" + tf.as_dtype(info.dtype).name.upper(),
        shape=None if shape.unknown_rank else tuple(dim.size for dim in shape.dim),
        tensor=info.name,
    )


def _number(tf: Any, name: str) -> Any:
    return name.removeprefix("DT_").lower()


def _lines(tf: Any, folder: str, name: str) -> Iterator[str]:
    path = f"{folder}/assets/{name}"
    if not tf.io.gfile.exists(path):
        return
    with tf.io.gfile.GFile(path, "rb") as f:
        for line in f:
            yield line.removesuffix(b"\n").decode(errors="replace")


def _first_line(error: Exception) -> str:
    """Returns the message of an error, without TensorFlow's trace."""
    text = str(getattr(error, "message", "")) or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(_NOT_A_REASON)]
    return (useful or [type(error).__name__])[0]


def default_titles(serving: str) -> pathlib.Path | None:
    """Returns the file of titles of the run with the serving folder `serving`."""
    if "://" in serving:
        return None
    return pathlib.Path(serving).parent / "titles.csv"
