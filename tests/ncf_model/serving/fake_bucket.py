"""An object store in memory, with the functions of `tf.io.gfile`."""

import io
import os
import pathlib
import types


class Bucket:
    """`tf.io.gfile` on an object store, which has keys and contents but no folders."""

    def __init__(self):
        self.objects = {}

    def _key(self, path):
        assert path.startswith("gs://"), path
        return path.rstrip("/")

    def _below(self, folder):
        prefix = self._key(folder) + "/"
        return [k.removeprefix(prefix) for k in self.objects if k.startswith(prefix)]

    def isdir(self, path):
        return bool(self._below(path))

    def exists(self, path):
        return self._key(path) in self.objects or self.isdir(path)

    def listdir(self, path):
        names = [name.partition("/") for name in self._below(path)]
        return sorted({head + slash for head, slash, _ in names})

    def walk(self, path):
        found = {}
        for name in self._below(path):
            head, _, tail = name.rpartition("/")
            found.setdefault(head, []).append(tail)
        for head, names in found.items():
            yield os.path.join(path, head), [], names

    def stat(self, path):
        return types.SimpleNamespace(length=len(self.objects[self._key(path)]))

    def copy(self, source, target, overwrite):
        assert overwrite
        self.objects[target] = (
            self.objects[source]
            if source.startswith("gs://")
            else pathlib.Path(source).read_bytes()
        )

    def remove(self, path):
        del self.objects[self._key(path)]

    def rmtree(self, path):
        for name in self._below(path):
            del self.objects[f"{self._key(path)}/{name}"]

    def GFile(self, path, mode):
        if mode == "rb":
            return io.BytesIO(self.objects[path])
        stream = io.BytesIO()
        stream.close = lambda: self.objects.update({path: stream.getvalue()})
        return stream
