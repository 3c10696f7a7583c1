"""A page in headless Chromium, told what to do over the browser's own protocol."""

import base64
import contextlib
import json
import shutil
import subprocess
import time

from websockets.sync import client

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
START_S = 60


def find():
    """Returns the browser's path; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


class Page:
    """A page of the browser, driven over a WebSocket connection."""

    def __init__(self, connection):
        self._connection = connection
        self._number = 0

    def open(self, file, *, width, dark=False, media="screen"):
        """Shows a file as a window of `width` pixels does."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1}
        phone = width < 600
        self.send("Emulation.setDeviceMetricsOverride", **size, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.send("Page.navigate", url=file.as_uri())
        deadline = time.monotonic() + START_S
        at = f"location.href === {json.dumps(file.as_uri())}"
        loaded = f"document.readyState === 'complete' && {at}"
        while not self.evaluate(loaded):
            assert time.monotonic() < deadline, "the page is not loaded"
            time.sleep(0.05)

    def evaluate(self, script):
        """Returns the value of a script, which JSON must be able to hold."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, file):
        """Writes the whole page as PNG."""
        answer = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(answer["data"]))

    def send(self, method, **parameters):
        """Sends a command; returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(timeout=START_S))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]


@contextlib.contextmanager
def page(folder):
    """Starts a browser that keeps its profile in `folder`; yields its page."""
    profile = folder / "profile"
    command = [find(), *FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [*command, "--remote-debugging-port=0", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with client.connect(_address(profile, process), max_size=None) as connection:
            browser = Page(connection)
            target = browser.send("Target.createTarget", url="about:blank")["targetId"]
            base = connection.request.path  # the path of the browser itself
            port = connection.socket.getpeername()[1]
        url = f"ws://127.0.0.1:{port}{base.rpartition('/browser/')[0]}/page/{target}"
        with client.connect(url, max_size=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(timeout=START_S)


def _address(profile, process):
    """Returns the address at which the browser listens, once it does."""
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            port, path = file.read_text().splitlines()
            return f"ws://127.0.0.1:{port}{path}"
        time.sleep(0.05)
    raise AssertionError("Chromium does not listen")
