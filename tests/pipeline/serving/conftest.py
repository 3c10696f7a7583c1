"""A model of three users and five items, whose answers a reader can work out."""

import pathlib
import sys
import types

import pytest
import tensorflow as tf
from starlette import testclient

from pipeline.serving import app, server
from pipeline.serving.settings import ServeSettings

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # for `browser`
USERS = ["ann", "bob", "éve"]
ITEMS = ["i0", "i1", "i2", "i3", "i4"]
TITLES = "item_id,title\ni0,Alien (1979)\ni1,Brazil (1985)\ni2,Aliens (1986)\n"


def _spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name)


class Model(tf.Module):
    """Recommends the items from `first` on, in a circle, scored 1, 1/2, 1/3, ...

    A basket's list starts after its first item, a list of similar items after the item.
    """

    def __init__(self, folder, first, fails=False):
        super().__init__()
        self._first, self._fails = first, fails
        self._assets = []
        for name, lines in (("user_id", USERS), ("item_id", ITEMS)):
            path = folder / name
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            self._assets.append(tf.saved_model.Asset(str(path)))

    def _lists(self, starts, k):
        count = tf.minimum(k, len(ITEMS))
        index = (starts[:, None] + tf.range(count)[None]) % len(ITEMS)
        ids = tf.gather(tf.constant(ITEMS), index)
        scores = tf.ones_like(index, tf.float32) / tf.cast(
            tf.range(1, count + 1), tf.float32
        )
        rest = [[0, 0], [0, k - count]]
        return {"item_ids": tf.pad(ids, rest), "scores": tf.pad(scores, rest)}

    @tf.function(
        input_signature=[_spec([None], tf.string, "user_id"), _spec([], tf.int32, "k")]
    )
    def recommend(self, user_id, k):
        if self._fails:
            tf.debugging.assert_equal(tf.size(user_id), -1, "This model is broken.")
        return self._lists(tf.fill([tf.size(user_id)], self._first), k)

    @tf.function(
        input_signature=[
            _spec([None, None], tf.string, "item_ids"),
            _spec([], tf.int32, "k"),
        ]
    )
    def recommend_for_items(self, item_ids, k):
        number = tf.strings.to_number(tf.strings.substr(item_ids[:, 0], 1, 1), tf.int32)
        return self._lists(number + 1, k)

    @tf.function(
        input_signature=[_spec([None], tf.string, "item_id"), _spec([], tf.int32, "k")]
    )
    def similar_items(self, item_id, k):
        number = tf.strings.to_number(tf.strings.substr(item_id, 1, 1), tf.int32)
        return self._lists(number + 1, k)

    @tf.function(input_signature=[_spec([None], tf.string, "user_id")])
    def history(self, user_id):
        ids = tf.constant([["i3", "i4"]])
        return {"item_ids": tf.tile(ids, [tf.size(user_id), 1])}

    @tf.function(
        input_signature=[
            _spec([None], tf.string, "user_id"),
            _spec([None], tf.string, "item_id"),
        ]
    )
    def score(self, user_id, item_id):
        length = tf.strings.length(user_id) + tf.strings.length(item_id)
        return {"score": 1 / tf.cast(length, tf.float32)}


@pytest.fixture(scope="session")
def push(tmp_path_factory):
    """Returns a function that pushes a version, whole, as Pusher does."""

    def save(serving, version, *, first=0, without=(), fails=False):
        work = tmp_path_factory.mktemp("model")
        model = Model(work, first, fails)
        signatures = {
            "serving_default": model.score,
            "recommend": model.recommend,
            "recommend_for_items": model.recommend_for_items,
            "similar_items": model.similar_items,
            "history": model.history,
        }
        for name in without:
            del signatures[name]
        tf.saved_model.save(model, str(work / "saved"), signatures=signatures)
        serving.mkdir(parents=True, exist_ok=True)
        (work / "saved").rename(serving / str(version))

    return save


@pytest.fixture(scope="session")
def shared_out(tmp_path_factory, push):
    """Returns a run's folder with version 7 and titles; not to be changed."""
    out = tmp_path_factory.mktemp("out")
    push(out / "serving", 7)
    (out / "titles.csv").write_text(TITLES)
    return out


@pytest.fixture
def start():
    """Returns a function that starts a server in this process: client and service."""
    clients = []

    def begin(out, *, host="127.0.0.1", **settings):
        chosen = ServeSettings(
            serving=str(out / "serving"),
            titles=out / "titles.csv",
            host=host,
            **{"poll_s": 0.05} | settings,
        )
        service = server.make_service(chosen)
        service.store.refresh()
        client = testclient.TestClient(
            app.create_app(service), base_url="http://127.0.0.1:8501"
        )
        client.__enter__()
        clients.append(client)
        return types.SimpleNamespace(client=client, service=service)

    yield begin
    for client in clients:
        client.__exit__(None, None, None)
