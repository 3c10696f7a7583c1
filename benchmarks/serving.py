"""Measures how fast a model answers, in the same process and through `ncf serve`.

python benchmarks/serving.py one --items 3706 27000 1000000
python benchmarks/serving.py all [--peer PYTHON]
python benchmarks/serving.py http --seconds 10

The model's tables are random, because the time of a matrix product does not depend on
the values. `--peer` names a Python that has the packages `implicit` and `recbole`,
whose top-k is timed on the same tables.
"""

import argparse
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

USERS, ITEMS, FACTORS, K = 6040, 3706, 8, 10
_SEEN = 165  # Items per user: the mean of MovieLens 1M.
# After a pause of this length threads have gone to sleep and caches are cold, as they
# are between requests to a server.
_PAUSE_S = 0.002
_SERVE = "from pipeline import cli; cli.main()"
_PEER = """
import sys, time, json
import numpy as np, scipy.sparse
from implicit.cpu.matrix_factorization_base import MatrixFactorizationBase

data = np.load(sys.argv[1])
class RandomFactors(MatrixFactorizationBase):
    def fit(self, *args, **kwargs): ...
    def save(self, *args, **kwargs): ...
model = RandomFactors()
model.user_factors, model.item_factors = data["users"], data["items"]
shape = (len(data["users"]), len(data["items"]))
ones = np.ones(len(data["seen"]), np.float32)
seen = scipy.sparse.csr_matrix((ones, data["seen"], data["offsets"]), shape=shape)
ids = np.arange(shape[0])
def best(f, n):
    times = []
    for _ in range(n):
        started = time.perf_counter(); f(); times.append(time.perf_counter() - started)
    return float(np.median(times))
one = best(lambda: model.recommend(7, seen[7], N=10), 100)
before = time.process_time()
every = best(lambda: model.recommend(ids, seen, N=10), 5)
cpu = (time.process_time() - before) / 5
print(json.dumps({"one": one, "all": every, "all_cpu": cpu}))
"""


def main() -> None:
    """Prints the figures of the part that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    single = commands.add_parser("one")
    single.add_argument(
        "--items", type=int, nargs="+", default=[ITEMS, 27_000, 1_000_000]
    )
    single.add_argument("--calls", type=int, default=100)
    every = commands.add_parser("all")
    every.add_argument("--peer", help="a Python that has `implicit` and `recbole`")
    web = commands.add_parser("http")
    web.add_argument("--seconds", type=float, default=10)
    web.add_argument("--clients", type=int, default=8)
    chosen = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if chosen.command == "one":
        for items in chosen.items:
            print(f"{items:,} items, one user: {_told(one(items, chosen.calls))}")
    elif chosen.command == "all":
        _all(chosen.peer)
    else:
        http_times(chosen.seconds, chosen.clients)


def one(items: int, calls: int) -> list[float]:
    """Returns the seconds of each call of `recommend` for one user."""
    with tempfile.TemporaryDirectory() as folder:
        model = _load(_export(pathlib.Path(folder), users=1000, items=items))
        return _times(lambda: _ask(model, ["u7"]), calls)


def _all(peer: str | None) -> None:
    cpu: list[float] = []
    median = float(np.median(everybody(cpu)))
    print(
        f"{USERS:,} users at once: {median:.3f} s, {USERS / median:,.0f} users/s, "
        f"{np.median(cpu):.3f} s of CPU"
    )
    if peer:
        print(f"implicit, seconds: {implicit(peer)}")
        print(f"RecBole, seconds: {recbole(peer)}")


def everybody(cpu: list[float] | None = None) -> list[float]:
    """Returns the seconds of each call of `recommend` for all users at once.

    The CPU seconds of the calls are appended to `cpu`.
    """
    names = [f"u{user}" for user in range(USERS)]
    with tempfile.TemporaryDirectory() as folder:
        model = _load(_export(pathlib.Path(folder), users=USERS, items=ITEMS))

        def ask() -> None:
            before = time.process_time()
            _ask(model, names)
            if cpu is not None:
                cpu.append(time.process_time() - before)

        return _times(ask, 5)


def implicit(peer: str) -> dict[str, float]:
    """Returns implicit's median seconds for one user, and for all at once."""
    return _ask_peer(peer, "-c", _PEER)


def recbole(peer: str) -> dict[str, float]:
    """Returns RecBole's median seconds and CPU seconds, in the form of `implicit`."""
    return _ask_peer(peer, str(pathlib.Path(__file__).with_name("recbole_topk.py")))


def _ask_peer(*command: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "tables.npz")
        seen, offsets = _seen(USERS, ITEMS)
        users, table = _tables(USERS, ITEMS)
        np.savez(file, users=users, items=table, seen=seen, offsets=offsets)
        done = subprocess.run(
            [*command, file], check=True, capture_output=True, text=True
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def http_times(seconds: float, clients: int) -> dict[int, list[float]]:
    """Returns the seconds of each answer, by the number of clients asking at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = _export(pathlib.Path(folder, "serving"), users=USERS, items=ITEMS)
        model = _load(path)
        for pause_s in (0.0, _PAUSE_S):
            before = time.process_time()
            bare = _times(lambda: _ask(model, ["u7"]), 300, pause_s=pause_s)
            each = 1000 * (time.process_time() - before) / len(bare)
            kind = f"{1000 * pause_s:.0f} ms between calls"
            print(
                f"saved_model call alone, {kind}: {_told(bare)}, {each:.2f} ms of CPU"
            )
        with open(os.devnull, "w") as nowhere:
            server = subprocess.Popen(
                [sys.executable, "-c", _SERVE, "serve", folder, "--port=0"],
                stdout=nowhere,
                stderr=subprocess.PIPE,
                text=True,
            )
        try:
            assert server.stderr is not None  # noqa: S101
            line = next(line for line in server.stderr if "http://" in line)
            host = line.split("http://")[1].strip().rstrip("/")
            found = {}
            for number in (1, clients):
                before = _cpu(server.pid)
                found[number] = _load_with(host, number, seconds)
                each = 1000 * (_cpu(server.pid) - before) / len(found[number])
                print(f"  of which the server's CPU: {each:.2f} ms a request")
            return found
        finally:
            server.terminate()
            server.wait()


def _cpu(process: int) -> float:
    """Returns the CPU seconds of another process, as Linux counts them."""
    fields = (
        pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    )
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _load_with(host: str, clients: int, seconds: float) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + seconds

    def ask(client: int) -> None:
        connection = http.client.HTTPConnection(host)
        number = client
        while time.perf_counter() < end:
            number += clients
            started = time.perf_counter()
            connection.request("GET", f"/recommend?user=u{number % USERS}&k={K}")
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - started)
            if answer.status != 200:
                raise RuntimeError(f"HTTP status {answer.status}")

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(times) / seconds
    print(f"ncf serve, {clients} clients: {rate:,.0f} requests/s, {_told(times)}")
    return times


def _times(ask: Callable[[], Any], calls: int, *, pause_s: float = 0.0) -> list[float]:
    ask()
    found = []
    for _ in range(calls):
        time.sleep(pause_s)
        started = time.perf_counter()
        ask()
        found.append(time.perf_counter() - started)
    return found


def _told(seconds: list[float]) -> str:
    least, half, most = 1000 * np.percentile(seconds, [0, 50, 99])
    return f"p50 {half:.2f} ms, p99 {most:.2f} ms, least {least:.2f} ms"


def _ask(model: Any, users: list[str]) -> Any:
    import tensorflow as tf

    answer = model.signatures["recommend"](user_id=tf.constant(users), k=tf.constant(K))
    return answer["scores"].numpy()


def _load(folder: str) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(folder)


def _tables(users: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = ((users, FACTORS), (items, FACTORS))
    one, other = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    return one, other


def _seen(users: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    count = min(_SEEN, items // 2)
    step = items // count
    rows = np.arange(count) * step + rng.integers(step, size=(users, count))
    return rows.astype(np.int32).ravel(), np.arange(users + 1) * count


def _export(folder: pathlib.Path, *, users: int, items: int) -> str:
    """Writes a version of a GMF model with random tables; returns its folder."""
    import tensorflow as tf

    from ncf_model.config import ModelConfig
    from ncf_model.network import model
    from ncf_model.sampling.ragged import Ragged
    from ncf_model.serving import saved_model

    folder.mkdir(parents=True, exist_ok=True)
    settings = ModelConfig(history=None, type="gmf", mf_dim=FACTORS, gmf_output="ones")
    network = model.NeuMF(settings, num_users=users, num_items=items)
    tables = (network.user_table, network.item_table)
    for table, rows in zip(tables, _tables(users + 1, items + 1), strict=True):
        table.embeddings.assign(rows)
    names: dict[str, Any] = {}
    for kind, count in (("user", users), ("item", items)):
        file = folder / f"{kind}_id"
        file.write_text("".join(f"{kind[0]}{i}\n" for i in range(count)))
        names[f"{kind}_vocabulary"] = str(file)
    module = saved_model.ServingModel(
        network,
        seen=Ragged(*_seen(users, items)),
        trained=np.arange(users),
        popularity=np.arange(items)[::-1],
        **names,
    )
    path = str(folder / "1")
    tf.saved_model.save(module, path, signatures=module.signatures())
    return path


if __name__ == "__main__":
    main()
