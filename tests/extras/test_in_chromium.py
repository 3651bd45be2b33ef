"""A voice on this machine in a browser: what it says is played, what a visitor says becomes text.

Nothing stands in for anything: a microphone that plays a file, MediaRecorder, Whisper; and Piper or
eSpeak NG, whose sound Chromium decodes.
"""

import io
import os
import re
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Launch, MakeVisitor, browser, launch, visitor
from tests.browser.hosts import Shop
from tests.browser.test_listening import listening, microphone, sent
from tests.browser.test_server_voice import PLAYED, played
from tests.browser.test_voice import DESKTOP, bar, opens, reader
from tests.conftest import MakeStack
from tests.servers import Stack

__all__ = ["browser", "launch", "visitor"]
SAID = "What does the business plan cost per month?"
RATE = 48_000
# How loud what is played was at its loudest.
LOUDNESS = """(() => {
  window.loudest = 0;
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    if (!this.measured && this.duration > 0.01) {
      this.measured = true;
      const context = new AudioContext();
      const meter = context.createAnalyser();
      const wave = new Float32Array(meter.fftSize);
      context.createMediaElementSource(this).connect(meter).connect(context.destination);
      setInterval(() => {
        meter.getFloatTimeDomainData(wave);
        loudest = Math.max(loudest, ...wave);
      }, 20);
    }
    return play.call(this);
  };
})()"""


@pytest.fixture(scope="module")
def stack(session_stack: MakeStack) -> Stack:
    return session_stack(servers=0)


@pytest.fixture(scope="module", params=["piper", "espeak"])
def shop(request: pytest.FixtureRequest, stack: Stack, local: Path) -> Iterator[Shop]:
    """One whose server speaks by itself, and listens."""
    path = f"{local.parent}{os.pathsep}{stack.env['PATH']}"
    server = stack.add(PATH=path, VOICE_BACKEND=request.param, VOICE_LISTENING="whisper")
    with Shop(server.start()) as site:
        stack.manage("seed_demo", "--origin", site.url)
        yield site
    server.stop()


@pytest.fixture
def speaker(launch: Launch, tmp_path: Path) -> Iterator[Browser]:
    """A browser into whose microphone somebody asks what it costs."""
    done = subprocess.run(
        ["espeak-ng", "--stdout", "-s", "140", SAID], capture_output=True, check=True
    )
    with wave.open(io.BytesIO(done.stdout)) as spoken:
        rate = spoken.getframerate()
        sound = np.frombuffer(spoken.readframes(spoken.getnframes()), np.int16)
    times = np.arange(len(sound) * RATE // rate) / RATE
    resampled = np.interp(times, np.arange(len(sound)) / rate, sound)
    silence = np.zeros(RATE)
    path = tmp_path / "question.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.concatenate([silence, resampled, silence]).astype("<i2").tobytes())
    made = launch(f"--use-file-for-fake-audio-capture={path}%noloop")
    yield made
    made.close()


def test_what_is_said_into_the_microphone_stands_in_the_field(
    speaker: Browser, visitor: MakeVisitor, shop: Shop
) -> None:
    one = visitor(at=speaker, viewport=DESKTOP)
    one.page.add_init_script(PLAYED)
    opens(one, shop)
    microphone(one).click()
    expect(listening(one)).to_contain_text("becomes words, and is not kept")
    one.page.wait_for_timeout(5000)
    microphone(one).click()
    expect(one.field).to_have_value(re.compile("business plan", re.IGNORECASE))
    words = set(re.findall(r"[a-z]+", one.field.input_value().lower()))
    assert len(words & set(re.findall(r"[a-z]+", SAID.lower()))) >= 6, words
    one.button("Send").click()
    expect(one.questions.last).to_have_attribute("data-state", "complete")
    assert sent(one)[-1][1] is True


def test_a_reply_is_decoded_and_played(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP)
    one.page.add_init_script(LOUDNESS)
    one.page.add_init_script(PLAYED)
    opens(one, shop)
    reader(one).click()
    one.ask("/say The business plan costs twenty dollars. It comes with everything you need.")
    one.page.wait_for_function("played.filter((it) => it.what === 'ended').length === 2")
    begins, ends = played(one, "playing"), played(one, "ended")
    assert all(1 < it["duration"] < 6 for it in ends)
    assert begins[1]["at"] - ends[0]["at"] < 150  # no gap that is heard
    lasted = ends[1]["at"] - begins[0]["at"]
    assert lasted == pytest.approx(1000 * sum(it["duration"] for it in ends), abs=600)
    assert one.page.evaluate("loudest") > 0.1
    expect(bar(one)).to_be_hidden()
