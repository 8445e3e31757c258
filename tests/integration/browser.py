# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by the Chrome DevTools Protocol over a pair of pipes: no port, no
WebSocket, nothing but what Debian has."""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import signal
import subprocess
import time

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]
TIMEOUT = 30  # seconds, of anything


class Browser:
    """Starts with an empty profile in folder; close() ends it."""

    def __init__(self, folder):
        commands, self.to = os.pipe()
        self.answers, answers = os.pipe()
        # The browser reads commands from descriptor 3 and answers on 4, both free by then.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (commands, answers)]
        self.process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{high[0]} 4>&{high[1]} {high[0]}<&- {high[1]}>&-',
                "browser",
                "chromium",
                *FLAGS,
                f"--user-data-dir={folder}/profile",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(f"{folder}/chromium.log", "wb"),
            pass_fds=high,
            start_new_session=True,
            env={**os.environ, "HOME": folder},
        )
        for fd in (commands, answers, *high):
            os.close(fd)
        self.ids = itertools.count(1)
        self.pending = b""
        self.events = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            self.call(domain + ".enable")

    def close(self):
        """Asks it to end, so that none of its processes still writes into the folder."""
        message = json.dumps({"id": next(self.ids), "method": "Browser.close"})
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            os.write(self.to, message.encode() + b"\0")
            self.process.wait(TIMEOUT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to)
        os.close(self.answers)

    def receive(self, deadline):
        while b"\0" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise RuntimeError("the browser does not answer")
            data = os.read(self.answers, 1 << 20)
            if not data:
                raise RuntimeError("the browser ended")
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        """The result of a command; events that come meanwhile are kept."""
        message = {"id": next(self.ids), "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        """Loads url; the events of that, its load included."""
        self.events = []
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + TIMEOUT
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive(deadline))
        return self.events

    def view(self, width, height, dark):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )

    def evaluate(self, expression):
        """Runs in the page as the tools do, whatever its policy says of scripts."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def tree(self):
        """Role and name of all that a screen reader is told of."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (n["role"]["value"], n.get("name", {}).get("value", ""))
            for n in nodes
            if not n["ignored"]
        ]

    def screenshot(self, path, whole):
        """PNG of the whole page or of the window, in a file and as bytes."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        data = base64.b64decode(shot["data"])
        with open(path, "wb") as f:
            f.write(data)
        return data
