"""The emulator's objects, and the answers of Cloud Storage's two APIs; no network."""

import base64
import email
import email.policy
import hashlib
import itertools
import json
import re
import threading
import time
import urllib.parse
from typing import NamedTuple

import google_crc32c

API = "/storage/v1/b/"


class Request(NamedTuple):
    """One request; `query` has a list for each name."""

    method: str
    path: str
    query: dict
    headers: dict
    body: bytes
    host: str

    def option(self, name, default=None):
        return self.query.get(name, [default])[0]

    def header(self, name):
        found = (v for k, v in self.headers.items() if k.lower() == name)
        return next(found, None)


class Objects:
    """Buckets of objects, and uploads that are under way."""

    def __init__(self, buckets):
        self.buckets = {name: {} for name in buckets}
        self.uploads = {}
        self.watch = lambda bucket, name: None  # called for each stored object
        self._numbers = itertools.count(1)
        self.lock = threading.Lock()

    def put(self, bucket, name, content):
        """Stores an object; returns what the API says of it."""
        number = next(self._numbers)
        self.buckets[bucket][name] = (content, number, time.time())
        self.watch(bucket, name)
        return self.resource(bucket, name)

    def resource(self, bucket, name):
        content, number, changed = self.buckets[bucket][name]
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(changed))
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": bucket,
            "size": str(len(content)),
            "generation": str(number),
            "metageneration": "1",
            "updated": f"{stamp}.000Z",
            "timeCreated": f"{stamp}.000Z",
            # Google's client (3.0 and later) checks each upload by this checksum.
            "crc32c": _crc32c(content),
            "md5Hash": _md5(content),
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            "id": f"{bucket}/{name}/{number}",
        }

    def start_upload(self, bucket, name):
        number = f"u{next(self._numbers)}"
        self.uploads[number] = (bucket, name, b"")
        return number

    def names(self, bucket, prefix=""):
        return sorted(n for n in self.buckets[bucket] if n.startswith(prefix))


def _crc32c(content):
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def _md5(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def answer(request, objects, may):
    """Returns status, headers and body (JSON or bytes)."""
    with objects.lock:
        try:
            return _route(request, objects, may)
        except PermissionError as error:
            return _error(403, str(error))
        except KeyError as error:
            return _error(404, f"Not Found: {error}")


def _route(request, objects, may):
    path = request.path
    if path.startswith(("/upload" + API, "/resumable/upload" + API)):
        return _upload(request, objects, may)
    if path.startswith("/download" + API):
        bucket, name = _names(path.removeprefix("/download"))
        return _content(request, objects, may, bucket, name)
    if not path.startswith(API):  # The XML API: /bucket/object
        bucket, _, name = urllib.parse.unquote(path.lstrip("/")).partition("/")
        return _content(request, objects, may, bucket, name)
    if found := re.fullmatch(rf"{API}([^/]+)/iam/testPermissions", path):
        return _test_permissions(request, objects, may, found[1])
    if found := re.fullmatch(rf"{API}([^/]+)/o", path):
        return _list(request, objects, may, urllib.parse.unquote(found[1]))
    if found := re.fullmatch(rf"{API}([^/]+)/storageLayout", path):
        # TensorFlow 2.21 asks for the layout before it renames a folder.
        return _layout(objects, may, urllib.parse.unquote(found[1]))
    if found := re.fullmatch(rf"{API}([^/]+)", path):
        _need(may, "storage.buckets.get", found[1])
        objects.buckets[found[1]]
        return 200, {}, _bucket(found[1])
    if "/rewriteTo/" in path or "/copyTo/" in path:
        return _rewrite(path, objects, may)
    bucket, name = _names(path)
    if request.method == "DELETE":
        _need(may, "storage.objects.delete", bucket, name)
        del objects.buckets[bucket][name]
        return 204, {}, None
    if request.option("alt") == "media":
        return _content(request, objects, may, bucket, name)
    _need(may, "storage.objects.get", bucket, name)
    return 200, {}, objects.resource(bucket, name)


def _names(path):
    found = re.fullmatch(rf"{API}([^/]+)/o/(.+)", path)
    if found is None:
        raise KeyError(path)
    bucket, name = found.groups()
    return urllib.parse.unquote(bucket), urllib.parse.unquote(name)


def _layout(objects, may, bucket):
    _need(may, "storage.objects.list", bucket)
    objects.buckets[bucket]
    return (
        200,
        {},
        {
            "kind": "storage#storageLayout",
            "bucket": bucket,
            "location": "US-CENTRAL1",
            "hierarchicalNamespace": {"enabled": False},
        },
    )


def _need(may, permission, bucket, name=None):
    what = f"gs://{bucket}" + (f"/{name}" if name is not None else "")
    if not may(permission, what):
        raise PermissionError(
            f"runner@ncf-project.iam.gserviceaccount.com does not have {permission} "
            f"access to the Google Cloud Storage {'object' if name else 'bucket'}. "
            f"Permission '{permission}' denied on resource (or it may not exist)."
        )


def _bucket(name):
    return {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "location": "US-CENTRAL1",
        "projectNumber": "1",
        "storageClass": "STANDARD",
        "timeCreated": "2024-06-01T00:00:00.000Z",
        "updated": "2024-06-01T00:00:00.000Z",
    }


def _test_permissions(request, objects, may, bucket):
    objects.buckets[bucket]
    asked = request.query.get("permissions", [])
    granted = [permission for permission in asked if may(permission, "test")]
    return 200, {}, {"kind": "storage#x", "permissions": granted}


def _list(request, objects, may, bucket):
    _need(may, "storage.objects.list", bucket)
    prefix, delimiter = request.option("prefix", ""), request.option("delimiter")
    items, prefixes = [], []
    for name in objects.names(bucket, prefix):
        rest = name[len(prefix) :]
        if delimiter and delimiter in rest:
            folder = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            if folder not in prefixes:
                prefixes.append(folder)
            if folder != name or request.option("includeTrailingDelimiter") != "true":
                continue
        items.append(name)
    most = int(request.option("maxResults") or 1000)
    start = int(request.option("pageToken") or 0)
    both = [(n, True) for n in items] + [(n, False) for n in prefixes]
    shown = sorted(both)[start : start + most]
    found = {
        "kind": "storage#objects",
        "items": [objects.resource(bucket, n) for n, is_item in shown if is_item],
        "prefixes": [n for n, is_item in shown if not is_item],
    }
    if start + most < len(both):
        found["nextPageToken"] = str(start + most)
    return 200, {}, {key: value for key, value in found.items() if value}


def _content(request, objects, may, bucket, name):
    _need(may, "storage.objects.get", bucket, name)
    content, number, _ = objects.buckets[bucket][name]
    headers = {
        "content-type": "application/octet-stream",
        "x-goog-generation": str(number),
        "x-goog-stored-content-length": str(len(content)),
        "accept-ranges": "bytes",
        "x-goog-hash": f"crc32c={_crc32c(content)},md5={_md5(content)}",
    }
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("range") or "")
    if not asked:
        return 200, headers, content
    first = int(asked[1])
    if first >= len(content):
        return 416, {"content-range": f"bytes */{len(content)}"}, b""
    last = min(int(asked[2] or len(content)), len(content) - 1)
    headers["content-range"] = f"bytes {first}-{last}/{len(content)}"
    return 206, headers, content[first : last + 1]


def _rewrite(path, objects, may):
    form = rf"{API}([^/]+)/o/(.+)/(?:rewriteTo|copyTo)/b/([^/]+)/o/(.+)"
    found = re.fullmatch(form, path).groups()
    source, name, target, new = map(urllib.parse.unquote, found)
    _need(may, "storage.objects.get", source, name)
    _need(may, "storage.objects.create", target, new)
    content = objects.buckets[source][name][0]
    resource = objects.put(target, new, content)
    done = {"done": True, "objectSize": str(len(content)), "resource": resource}
    done["totalBytesRewritten"] = str(len(content))
    return 200, {}, {"kind": "storage#rewriteResponse", **done}


def _upload(request, objects, may):
    if number := request.option("upload_id"):
        return _more(request, objects, number)
    bucket = urllib.parse.unquote(request.path.split(API)[1].split("/")[0])
    kind = request.option("uploadType")
    if kind == "multipart":
        message = email.message_from_bytes(
            f"content-type: {request.header('content-type')}\r\n\r\n".encode()
            + request.body,
            policy=email.policy.HTTP,
        )
        first, second = message.get_payload()
        name = json.loads(first.get_payload(decode=True))["name"]
        content = second.get_payload(decode=True)
        # The parser decodes text, so the file's bytes are taken as they were sent.
        content = _raw_part(request)
    else:
        name = request.option("name") or json.loads(request.body or b"{}").get("name")
        content = request.body
    _need(may, "storage.objects.create", bucket, name)
    objects.buckets[bucket]
    if kind == "resumable":
        number = objects.start_upload(bucket, name)
        place = f"https://{request.host}{request.path}"
        place += f"?uploadType=resumable&name={urllib.parse.quote(name, safe='')}"
        return 200, {"Location": f"{place}&upload_id={number}"}, None
    return 200, {}, objects.put(bucket, name, content)


def _raw_part(request):
    boundary = re.search(r'boundary="?([^";]+)', request.header("content-type"))[1]
    part = request.body.split(b"--" + boundary.encode())[2]
    return re.split(rb"\r?\n\r?\n", part, maxsplit=1)[1].removesuffix(b"\r\n")


def _more(request, objects, number):
    """Answers a part of a resumable upload, or the question how far that is."""
    bucket, name, content = objects.uploads[number]
    given = request.header("content-range") or "bytes 0-*/*"
    form = r"bytes (?:(\d+)-(?:\d+|\*)|\*)/(\d+|\*)"
    first, total = re.fullmatch(form, given).groups()
    if first is not None:
        content = content[: int(first)] + request.body
        objects.uploads[number] = (bucket, name, content)
    if given == "bytes 0-*/*" or (total != "*" and len(content) >= int(total)):
        del objects.uploads[number]
        return 200, {}, objects.put(bucket, name, content)
    headers = {"Range": f"bytes=0-{len(content) - 1}"} if content else {}
    return 308, headers, None


def _error(status, message):
    reason = {403: "forbidden", 404: "notFound"}[status]
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return status, {}, {"error": {"code": status, "message": message, "errors": errors}}
