"""A short looping picture of a page: its frames are taken one by one, not as time goes by.

Nothing moves unless the film says so, neither the page's animations nor what a server streams. So
a busy machine makes the same film as an idle one.
"""

import io
import json
import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, WebSocketRoute

# Every animation goes on by so many milliseconds, from where the film has left it.
_MOVE = """ms => {
  const known = (window.filmed ??= new WeakSet());
  const trees = [document, ...[...document.querySelectorAll("*")].map((it) => it.shadowRoot)];
  for (const animation of trees.flatMap((tree) => tree?.getAnimations() ?? [])) {
    animation.pause();
    const at = known.has(animation) ? animation.currentTime + ms : 0;
    known.add(animation);
    if (at < animation.effect.getComputedTiming().endTime) animation.currentTime = at;
    else animation.finish();
  }
}"""
_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
PATIENCE = 30  # seconds for an answer
_PIECE = 90  # milliseconds that a piece of an answer shows alone
_STROKE = 3  # letters typed from one picture to the next


class Gate:
    """Holds back what a server streams, until the film wants the next piece."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._send: Callable[[str], None] = lambda frame: None  # until there is a socket
        self._held: deque[str] = deque()
        page.route_web_socket(re.compile("/socket"), self._join)

    def _join(self, socket: WebSocketRoute) -> None:
        self._send = socket.send
        socket.connect_to_server().on_message(lambda frame: self._arrived(str(frame)))

    def _arrived(self, frame: str) -> None:
        if self._held or json.loads(frame)["type"] == "delta":
            self._held.append(frame)
        else:
            self._send(frame)

    def wait(self) -> None:
        """Until a whole answer is here."""
        began = time.monotonic()
        while not any('"complete"' in frame for frame in self._held):
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError("The agent has not answered.")
            self._page.wait_for_timeout(50)
        self._page.wait_for_timeout(300)  # what follows an answer, like quick replies

    def release(self) -> bool:
        """Lets the next piece through, with all before it; whether there was one."""
        while self._held:
            frame = self._held.popleft()
            self._send(frame)
            if json.loads(frame)["type"] == "delta":
                return True
        return False


class Film:
    """The frames, each with the milliseconds that it shows."""

    def __init__(self, page: Page, gate: Gate, part: Locator | None = None) -> None:
        self._page = page
        self._gate = gate
        self._clip: FloatRect | None = None
        if part:
            part.evaluate("it => Promise.all(it.getAnimations().map(({ finished }) => finished))")
            self._clip = part.bounding_box()
        self._frames: list[tuple[Image.Image, int]] = []

    @property
    def seconds(self) -> float:
        return sum(ms for _, ms in self._frames) / 1000

    def show(self, ms: int, times: int = 1) -> None:
        """Goes on by `ms`, takes a picture and shows it as long; all of it so many `times`."""
        for _ in range(times):
            self._page.evaluate(_DRAWN)
            self._page.evaluate(_MOVE, ms)
            taken = self._page.screenshot(clip=self._clip, animations="allow")
            frame = Image.open(io.BytesIO(taken)).convert("RGB")
            if self._frames and self._frames[-1][0].tobytes() == frame.tobytes():
                self.hold(ms)
            else:
                self._frames.append((frame, ms))

    def hold(self, ms: int) -> None:
        frame, shown = self._frames.pop()
        self._frames.append((frame, shown + ms))

    def say(self, field: Locator, text: str) -> None:
        """Types it letter by letter, sends it, and shows the answer as it comes."""
        field.focus()
        for at in range(0, len(text), _STROKE):
            self._page.keyboard.insert_text(text[at : at + _STROKE])
            self.show(70)
        self.hold(300)
        self._page.keyboard.press("Enter")
        self.show(60, 3)
        self._gate.wait()
        self.show(100, 5)
        while self._gate.release():
            self.show(_PIECE)
        self.show(60, 3)

    def still(self, path: Path) -> None:
        """Its last picture alone."""
        self._frames[-1][0].save(path, quality=68, subsampling="4:4:4", speed=4)

    def save(self, path: Path, quality: int) -> None:
        """As WebP, which every reader of a README shows, or as AVIF, a quarter of the bytes.

        An AVIF encoder in more of a hurry writes five times as much: every frame by itself. And
        Chromium reads a moving one as of limited range, whatever it says: of another it would
        show the palest greys as white.
        """
        kinds: dict[str, dict[str, Any]] = {
            ".webp": {"method": 4, "minimize_size": True},
            ".avif": {"subsampling": "4:4:4", "speed": 6, "range": "limited"},
        }
        first, *others = [frame for frame, _ in self._frames]
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=[ms for _, ms in self._frames],
            loop=0,
            quality=quality,
            **kinds[path.suffix],
        )
