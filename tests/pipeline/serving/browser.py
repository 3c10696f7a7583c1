"""Headless Chromium, driven over its DevTools protocol."""

import base64
import contextlib
import itertools
import json
import pathlib
import subprocess
import time
import urllib.request

from websockets.sync import client

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--remote-debugging-port=0", "--hide-scrollbars"),
)


class Page:
    """One tab."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, itertools.count(1)
        self.messages = []
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        number = next(self._numbers)
        self._socket.send(
            json.dumps({"id": number, "method": method, "params": params})
        )
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.messages.append(message)

    def run(self, script):
        """Returns what a JavaScript expression comes to."""
        done = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, script):
        """Waits until a JavaScript expression is true."""
        for _ in range(1200):
            if value := self.run(script):
                return value
            time.sleep(0.05)
        raise AssertionError(f"It did not become true: {script}\n{self.text()}")

    def text(self):
        return self.run("document.body.innerText")

    def type(self, text):
        self.send("Input.insertText", text=text)

    def press(self, key):
        codes = {"Enter": 13, "ArrowDown": 40, "Escape": 27}
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
                **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}),
            )

    def size(self, width, height, *, dark=False):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path):
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def errors(self):
        """Returns what the console complains of: exceptions, refused styles, 404s."""
        self.run("1")
        return [
            message
            for message in self.messages
            if message.get("method") == "Runtime.exceptionThrown"
            or (
                message.get("method") == "Log.entryAdded"
                and message["params"]["entry"]["level"] == "error"
            )
        ]


@contextlib.contextmanager
def open_page(binary, url, profile):
    """Yields a tab of a browser of its own that shows `url`."""
    process = subprocess.Popen(
        [binary, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file = pathlib.Path(profile, "DevToolsActivePort")
        for _ in range(1200):
            if port_file.exists() and "\n" in port_file.read_text():
                break
            time.sleep(0.05)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            [target] = [t for t in json.loads(answer.read()) if t["type"] == "page"]
        with client.connect(target["webSocketDebuggerUrl"], max_size=None) as socket:
            page = Page(socket)
            page.send("Page.navigate", url=url)
            # The complete document may still be the empty page from before.
            page.wait(
                "location.href !== 'about:blank' && document.readyState === 'complete'"
            )
            yield page
    finally:
        process.terminate()
        process.wait(timeout=60)
