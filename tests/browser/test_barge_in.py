"""Somebody speaks over what is read to them, into Chromium's own microphone, which plays a file."""

import io
import math
import random
import struct
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Launch, MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.test_listening import begins, free, listening, listens, says, sent
from tests.browser.test_server_voice import PLAYED, service, serving
from tests.browser.test_voice import DESKTOP, LONG, bar, begun, opens, reader, talking, told
from tests.browser.words import Visitor
from tests.smallest import Smallest

__all__ = ["service", "serving", "talking"]
Hears = Callable[[list[float]], Visitor]
RATE = 48_000
# Measures beside the chat what its microphone hears, and when that is loud for the first time.
METER = """(() => {
  window.loudest = 0;
  window.streams = [];
  const { getUserMedia } = MediaDevices.prototype;
  MediaDevices.prototype.getUserMedia = async function (wanted) {
    const stream = await getUserMedia.call(this, wanted);
    streams.push(stream);
    const context = new AudioContext();
    const meter = context.createAnalyser();
    meter.fftSize = 256;
    context.createMediaStreamSource(stream).connect(meter);
    const wave = new Float32Array(256);
    window.begun = performance.now();
    setInterval(() => {
      meter.getFloatTimeDomainData(wave);
      const level = Math.hypot(...wave) / 16;
      loudest = Math.max(loudest, level);
      if (level > 0.03) window.onset ??= performance.now();
    }, 4);
    return stream;
  };
})()"""


def voice(seconds: float, loud: float) -> list[float]:
    """Something like a vowel, four syllables a second: a deep tone with its overtones."""
    sound = []
    for n in range(int(seconds * RATE)):
        at = n / RATE
        tone = sum(math.sin(2 * math.pi * 130 * k * at) / k for k in range(1, 12))
        sound.append(loud * tone * (0.7 + 0.3 * math.cos(2 * math.pi * 4 * at)))
    return sound


def hiss(seconds: float, loud: float) -> list[float]:
    chance = random.Random(1)
    return [loud * chance.uniform(-1, 1) for _ in range(int(seconds * RATE))]


def clicks(seconds: float) -> list[float]:
    """Two a second, of 20 ms."""
    half = hiss(0.02, 0.7) + [0.0] * (RATE // 2 - RATE // 50)
    return half * int(seconds * 2)


def file(path: Path, sound: list[float]) -> Path:
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        short = [round(32767 * max(-1, min(1, each))) for each in sound]
        out.writeframes(struct.pack(f"<{len(short)}h", *short))
    path.write_bytes(made.getvalue())
    return path


@pytest.fixture
def microphone(launch: Launch, tmp_path: Path) -> Iterator[Callable[[list[float]], Browser]]:
    """Makes browsers that hear this and nothing else."""
    made: list[Browser] = []

    def make(sound: list[float]) -> Browser:
        path = file(tmp_path / "heard.wav", sound)
        made.append(launch(f"--use-file-for-fake-audio-capture={path}"))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def hears(
    microphone: Callable[[list[float]], Browser], visitor: MakeVisitor, talking: Shop
) -> Hears:
    """A visitor who listens, and whose microphone hears this while a reply is read to them."""

    def make(sound: list[float]) -> Visitor:
        one = visitor(at=microphone(sound), viewport=DESKTOP)
        one.page.add_init_script(METER)
        listens(one, talking)
        reader(one).click()
        one.page.evaluate("manner = 'slow'")
        free(one)
        says(one, f"/say {LONG}")
        one.page.wait_for_function("said.length === 1 && streams.length === 1")
        one.page.evaluate("sessions.splice(0)")  # what listened before is not counted
        return one

    return make


def quiet(seconds: float) -> list[float]:
    return [0.0] * int(seconds * RATE)


def interrupted(one: Visitor, count: int = 1) -> float:
    """Somebody has, and is listened to; when that was, in milliseconds of the page."""
    begins(one, count)
    assert not one.page.evaluate("speechSynthesis.speaking")
    return float(one.page.evaluate("cancelled"))


def undisturbed(one: Visitor) -> None:
    assert one.page.evaluate("[speechSynthesis.speaking, sessions.length]") == [True, 0]


def closed(one: Visitor) -> None:
    one.page.wait_for_function(
        "streams.every((it) => it.getTracks().every(({ readyState }) => readyState === 'ended'))"
    )


def test_who_speaks_over_a_reply_ends_it_within_a_tenth_of_a_second(hears: Hears) -> None:
    one = hears(quiet(2) + voice(1.5, 0.25) + quiet(20))
    assert 20 < interrupted(one) - one.page.evaluate("onset") < 100
    closed(one)
    expect(listening(one)).to_be_visible()
    says(one, "wait", final=False)
    expect(bar(one)).to_be_hidden()
    expect(one.field).to_have_value("wait")
    assert [it["on"] for it in one.sent if it["type"] == "sound"][-1] is False


def test_where_nothing_was_said_it_reads_on_and_may_be_interrupted_again(hears: Hears) -> None:
    one = hears(quiet(1.5) + voice(0.5, 0.25) + quiet(20))
    interrupted(one)
    one.page.evaluate("sessions.at(-1).onerror({ error: 'no-speech' }); sessions.at(-1).over()")
    one.page.wait_for_function("speechSynthesis.speaking && said.length === 2")
    interrupted(one, 2)


def test_silence_noise_and_clicks_end_nothing(hears: Hears) -> None:
    one = hears(quiet(1) + hiss(2, 0.02) + clicks(3) + quiet(20))
    one.page.wait_for_function("performance.now() - begun > 6500")
    undisturbed(one)
    assert one.page.evaluate("loudest") > 0.1  # of the clicks


def test_what_comes_back_of_the_reply_itself_is_told_from_a_voice(hears: Hears) -> None:
    """As where a loudspeaker stands beside the microphone, and nothing takes its sound out."""
    one = hears(voice(5, 0.06) + voice(1.5, 0.5) + quiet(20))
    one.page.wait_for_function("performance.now() - begun > 4000")
    undisturbed(one)
    assert one.page.evaluate("onset - begun") < 1000  # it was loud enough for a voice
    assert interrupted(one) - one.page.evaluate("begun") > 4500


def test_without_a_microphone_it_reads_on_and_asks_no_more(hears: Hears) -> None:
    one = hears(quiet(30))
    one.page.evaluate(
        "void (navigator.mediaDevices.getUserMedia = async () => { "
        "window.asked = (window.asked ?? 0) + 1; throw new DOMException('', 'NotAllowedError') })"
    )
    one.button("Stop reading aloud").click()
    begins(one)
    for text in ("One.", "Two."):
        says(one, f"/say {text}")
        one.page.wait_for_function("text => said.at(-1).text === text", arg=text)
        one.page.wait_for_function("window.asked === 1")
        one.button("Stop reading aloud").click()
        begins(one)


def test_the_microphone_is_closed_where_nobody_is_to_be_heard(
    visitor: MakeVisitor, talking: Shop
) -> None:
    one = visitor(viewport=DESKTOP)
    one.page.add_init_script(METER)
    begun(listens(one, talking))
    one.page.wait_for_timeout(500)
    assert one.page.evaluate("streams.length") == 0
    assert not any("voice/guard" in url for url in one.requested)


def test_a_recording_of_nothing_is_not_sent(
    microphone: Callable[[list[float]], Browser],
    visitor: MakeVisitor,
    serving: Shop,
    service: Smallest,
) -> None:
    one = visitor(at=microphone(quiet(30)), viewport=DESKTOP)
    one.page.add_init_script(PLAYED)
    opens(one, serving)
    service.requests.clear()
    one.panel.locator(".composer .talk").click()
    expect(told(one)).to_have_text("Nothing was heard. Please try again.")
    assert service.requests == []


def test_the_servers_voice_is_interrupted_and_the_server_hears_who_did(
    microphone: Callable[[list[float]], Browser], visitor: MakeVisitor, serving: Shop
) -> None:
    one = visitor(at=microphone(quiet(4) + voice(1.5, 0.25) + quiet(20)), viewport=DESKTOP)
    for script in (PLAYED, METER):
        one.page.add_init_script(script)
    opens(one, serving)
    reader(one).click()
    one.panel.locator(".composer .talk").click()
    one.page.wait_for_function("streams.length === 1")
    listening(one).get_by_role("combobox").select_option("1")
    one.ask(f"/say {LONG}")
    one.page.wait_for_function("played.some((it) => it.what === 'playing')")
    one.page.evaluate("onset = undefined")
    one.page.wait_for_function("played.at(-1)?.what === 'pause' && onset < played.at(-1).at")
    assert one.page.evaluate("played.at(-1).at - onset") < 100
    expect(one.questions.last).to_contain_text("What does it cost?")
    assert sent(one)[-1] == ("What does it cost?", True)
