"""An emulator of Cloud Storage on this machine, for unmodified clients.

TensorFlow's, Beam's and Google's own clients know no other address than
https://storage.googleapis.com and https://www.googleapis.com. All of them use the proxy
and trust the certificate authority that the environment names. So the emulator is a
proxy on the loopback address, which answers over TLS in place of Google's hosts: the
JSON API, the XML API's downloads, and tokens.

Each call needs the permission that it needs in Cloud Storage. A test takes permissions
away through the attribute `permissions`.
"""

import datetime
import http.server
import json
import re
import socketserver
import ssl
import threading
import urllib.parse

import gcs_objects
import tls_authority

HOSTS = ("*.googleapis.com", "googleapis.com", "metadata.google.internal")
TOKEN = "emulator-token"
OBJECT_USER = frozenset(  # those of roles/storage.objectUser for objects
    f"storage.{verb}"
    for verb in (
        *("objects.create", "objects.delete", "objects.get", "objects.list"),
        *("objects.update", "multipartUploads.create", "multipartUploads.list"),
    )
)
BUCKET_READER = frozenset({"storage.buckets.get", "storage.objects.list"})


class Emulator(socketserver.ThreadingTCPServer):
    """The proxy; use as a context manager.

    Attributes:
        objects: what is stored.
        permissions: the caller's permissions.
        accounts: service accounts that the caller may act as -> their permissions.
        calls: (permission, bucket or object that needed it), in order.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, folder, *, buckets=("bucket",)):
        super().__init__(("127.0.0.1", 0), _Proxy)
        self.objects = gcs_objects.Objects(buckets)
        self.permissions = OBJECT_USER | BUCKET_READER
        self.accounts = {}
        self.calls = []
        self._folder = folder
        authority = tls_authority.Authority(folder, HOSTS)
        self.authority = authority.file
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(authority.chain)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return super().__enter__()

    def __exit__(self, *args):
        self.shutdown()
        super().__exit__(*args)

    @property
    def environment(self):
        """The variables with which a process calls the emulator instead of Google."""
        login = self._folder / "login.json"
        values = {"type": "authorized_user", "refresh_token": "r"}
        values |= {"client_id": "c", "client_secret": "s"}
        login.write_text(json.dumps(values))
        proxy = f"http://127.0.0.1:{self.server_address[1]}"
        return {
            "https_proxy": proxy,
            "HTTPS_PROXY": proxy,
            "no_proxy": "localhost,127.0.0.1",  # gRPC to Beam's workers
            "CURL_CA_BUNDLE": str(self.authority),  # TensorFlow
            "REQUESTS_CA_BUNDLE": str(self.authority),  # Google's and Beam's clients
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": TOKEN,  # TensorFlow
            "GOOGLE_APPLICATION_CREDENTIALS": str(login),
            "GOOGLE_CLOUD_PROJECT": "ncf-project",
            "NO_GCE_CHECK": "true",
        }

    def may(self, token, permission, what):
        """Records the call; returns whether the caller has the permission."""
        self.calls.append((permission, what))
        return permission in self.accounts.get(token, self.permissions)


class _Proxy(http.server.BaseHTTPRequestHandler):
    """Answers CONNECT, then speaks TLS as the host that was asked for."""

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        try:
            secure = self.server.tls.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, OSError):
            self.close_connection = True
            return
        host = self.path.partition(":")[0]
        _Host.of(host)(secure, self.client_address, self.server)
        self.close_connection = True

    def log_message(self, *args):
        pass


class _Host(http.server.BaseHTTPRequestHandler):
    """One connection to a host; many requests."""

    protocol_version = "HTTP/1.1"
    # No wait for the client's acknowledgement between headers and body.
    disable_nagle_algorithm = True
    wbufsize = -1
    host = ""

    @classmethod
    def of(cls, host):
        return type("_Host", (cls,), {"host": host})

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ssl.SSLError, ConnectionError):
            self.close_connection = True

    def handle_expect_100(self):
        """Sends the answer at once; curl would wait a second if it were buffered."""
        found = super().handle_expect_100()
        self.wfile.flush()
        return found

    def _handle(self):
        body = self._body()
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        answer = self._answer_to(url.path, query, body)
        self._send(*answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _handle

    def _body(self):
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer_to(self, path, query, body):
        """Returns status, headers, body."""
        if path.endswith("/token") or path.startswith("/oauth2/"):
            made = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            return 200, {}, made
        if path.startswith("/batch/"):
            return self._batch(body)
        if found := re.fullmatch(r".*/serviceAccounts/(.*):generateAccessToken", path):
            return self._act_as(urllib.parse.unquote(found[1]))
        request = gcs_objects.Request(
            self.command, path, query, dict(self.headers.items()), body, self.host
        )
        return gcs_objects.answer(request, self.server.objects, self._may)

    def _may(self, permission, what):
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        return self.server.may(token, permission, what)

    def _act_as(self, account):
        if account not in self.server.accounts:
            return 403, {}, {"error": {"code": 403, "message": "getAccessToken"}}
        end = datetime.datetime.now(datetime.timezone.utc)
        end += datetime.timedelta(hours=1)
        made = {
            "accessToken": account,
            "expireTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return 200, {}, made

    def _batch(self, body):
        """Answers many requests in one, the form in which Google's client deletes."""
        boundary = re.search(r'boundary="?([^";]+)', self.headers["content-type"])[1]
        parts = []
        for part in body.split(b"--" + boundary.encode())[1:-1]:
            # An inner request's only header is its host, so its first line is enough.
            line = re.search(rb"(\w+) (\S+) HTTP/1.1", part)
            command, target = (text.decode() for text in line.groups())
            url = urllib.parse.urlsplit(target.strip())
            request = gcs_objects.Request(
                command,
                url.path,
                urllib.parse.parse_qs(url.query),
                {},
                b"",
                self.host,
            )
            status, _, found = gcs_objects.answer(
                request, self.server.objects, self._may
            )
            text = json.dumps(found) if found else ""
            parts.append(
                "Content-Type: application/http\r\n"
                f"\r\nHTTP/1.1 {status} -\r\n"
                "Content-Type: application/json; charset=UTF-8\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}\r\n"
            )
        made = "".join(f"--b\r\n{part}" for part in parts) + "--b--\r\n"
        return 200, {"content-type": "multipart/mixed; boundary=b"}, made.encode()

    def _send(self, status, headers, body):
        if not isinstance(body, bytes):
            body = b"" if body is None else json.dumps(body).encode()
            headers = {"content-type": "application/json; charset=UTF-8", **headers}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args):
        pass
