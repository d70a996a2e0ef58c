"""A headless Chromium, driven over its DevTools protocol. It keeps what it asked for."""

import base64
import contextlib
import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket

from tests.servers.process import ServerFailed, find_program

# Seconds for one answer of the browser, on a loaded machine.
_PATIENCE = 60.0


class Browser:
    """One page of a Chromium. urls: all it has asked for; complaints: errors in its console."""

    def __init__(self, folder: Path) -> None:
        self.urls: list[str] = []
        self.complaints: list[str] = []
        self._profile = folder
        self._ids = itertools.count(1)

    def __enter__(self) -> "Browser":
        program = find_program("chromium")
        port_file = self._profile / "DevToolsActivePort"
        self._process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",  # the tests may run as root
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--disable-background-networking",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--remote-debugging-port=0",
                "--remote-allow-origins=*",
                f"--user-data-dir={self._profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._connect(port_file)
        except BaseException:
            self._end()
            raise
        return self

    def _connect(self, port_file: Path) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not (port_file.exists() and "\n" in port_file.read_text()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed("Chromium did not start")
            time.sleep(0.05)
        port, path = port_file.read_text().split("\n")[:2]
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}{path}", timeout=_PATIENCE, suppress_origin=True
        )
        self._session = ""
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.close()
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> Any:
        """Return the result of a command of the DevTools protocol. Raises ServerFailed."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        for answer in self._messages():
            if answer.get("id") == number:
                if "error" in answer:
                    raise ServerFailed(f"{method}: {answer['error']}")
                return answer["result"]
        raise AssertionError("the messages of an open connection do not end")

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            message = json.loads(self._socket.recv())
            self._keep(message.get("method", ""), message.get("params", {}))
            yield message

    def _keep(self, event: str, told: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.urls.append(told["request"]["url"])
        elif event == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.complaints.append(json.dumps(told["args"]))

    def show(self, url: str, width: int, scheme: str = "light", height: int = 900) -> None:
        """Open a page in a window of a width in CSS pixels. scheme: light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.prefer(**{"prefers-color-scheme": scheme})
        self.call("Page.navigate", url=url)
        for message in self._messages():
            if message.get("method") == "Page.loadEventFired":
                return

    def prefer(self, **features: str) -> None:
        """Set media features that a person chooses in the system."""
        told = [{"name": name, "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=told)

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise ServerFailed(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Return the value of an expression as soon as it is true. Raises ServerFailed."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if value := self.ask(expression):
                return value
            time.sleep(0.05)
        raise ServerFailed(f"never true: {expression}")

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write a PNG of what the window shows, or of the whole page."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(answer["data"]))


def hosts(urls: list[str]) -> set[str]:
    """The hosts that are asked for in URLs; those of data: and about: are none."""
    return {found[1] for url in urls if (found := re.match(r"\w+://([^/:]+)", url))}
