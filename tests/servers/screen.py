"""A virtual X screen, and what can be seen on it without looking."""

import os
import re
import struct
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.servers.process import START_SECONDS, ServerFailed, find_program


class Screen:
    """An Xvfb; its picture lies in a file that we read. Use as a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._xprop = find_program("xprop")
        self._xwininfo = find_program("xwininfo")
        self._process: subprocess.Popen[bytes] | None = None
        self._program = find_program("Xvfb")
        self.display = ""

    def __enter__(self) -> "Screen":
        reader, writer = os.pipe()
        with os.fdopen(reader) as number:
            self._process = subprocess.Popen(
                [
                    self._program,
                    *("-displayfd", str(writer)),
                    *("-screen", "0", "1000x700x24"),
                    *("-fbdir", self._folder),
                    *("-nolisten", "tcp"),
                ],
                pass_fds=[writer],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            os.close(writer)
            chosen = number.readline().strip()  # it says so when it is ready
        if not chosen:
            raise ServerFailed("Xvfb did not start")
        self.display = f":{chosen}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(START_SECONDS)

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a program show its windows here."""
        return {"DISPLAY": self.display}

    def windows(self) -> dict[str, str]:
        """The titles of the windows with a class: title -> class."""
        give_up = time.monotonic() + START_SECONDS
        listed = self._list_windows()
        # It fails when a window goes between its list and its question about that window.
        while listed.returncode and time.monotonic() < give_up:
            time.sleep(0.05)
            listed = self._list_windows()
        if listed.returncode:
            raise ServerFailed(f"xwininfo: {listed.stderr}")
        found = re.findall(r'0x[0-9a-f]+ "(.*)": \(".*" "(.*)"\)  (\d+)x', listed.stdout)
        # Browsers have windows of a few pixels, too, in which nothing is shown.
        return {title: group for title, group, width in found if int(width) > 100}

    def _list_windows(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._xwininfo, "-display", self.display, "-root", "-tree"],
            capture_output=True,
            text=True,
            check=False,
        )

    def share_of(self, wanted: int, tolerance: int = 40) -> float:
        """How much of the top 50 rows has this colour (0xRRGGBB), from 0 to 1.

        Source of the format: XWDFile.h of X.Org; big-endian header, then the colour map.
        """
        image = (self._folder / "Xvfb_screen0").read_bytes()
        header = struct.unpack(">25I", image[:100])
        header_size, width, bits = header[0], header[4], header[11]
        line, colours = header[12], header[19]
        assert bits == 32
        start = header_size + colours * 12
        count = near = 0
        for row in range(12, 50, 4):
            for column in range(0, width, 5):
                at = start + row * line + column * 4
                blue, green, red = image[at], image[at + 1], image[at + 2]
                wanted_rgb = (wanted >> 16, wanted >> 8 & 255, wanted & 255)
                count += 1
                near += all(
                    abs(a - b) <= tolerance
                    for a, b in zip((red, green, blue), wanted_rgb, strict=True)
                )
        return near / count
