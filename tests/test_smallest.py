"""Smallest.ai's API as the product asks it: every answer that is no audio is one sentence."""

import threading
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from tests.servers import wait_for
from tests.smallest import KEY, MP3_FRAME, Smallest
from voice import smallest
from voice.recordings import look
from voice.sink import Sink
from voice.voices import NobodyListens, SpeechFailed, Voice, is_mp3, type_of

VOICE = Voice("smallest", "kaitlyn", "lightning_v3.1_pro", "en")
WAV = Voice("smallest", "kaitlyn", "lightning_v3.1_pro", "en", 1.0, "wav")
TEXT = "Your quote is ready, and it holds for thirty days."


@pytest.fixture
def service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Smallest]:
    with Smallest() as service:
        settings.SMALLEST_API_KEY, settings.SMALLEST_BASE_URL = KEY, service.url
        monkeypatch.setattr(smallest, "READ", 2.0)
        yield service


def spoken(voice: Voice = VOICE, text: str = TEXT) -> bytes:
    pieces: list[bytes] = []
    smallest.speak(text, voice, Sink(pieces.append))
    return b"".join(pieces)


def test_audio_comes_whole_and_says_how_it_is_wanted(service: Smallest) -> None:
    audio = spoken()
    assert audio == MP3_FRAME * (len(audio) // len(MP3_FRAME))
    assert len(audio) > 20_000
    (asked,) = service.requests
    assert asked.path == "/waves/v1/tts/live"
    assert asked.body == {
        "text": TEXT, "voice_id": "kaitlyn", "model": "lightning_v3.1_pro", "language": "en",
        "sample_rate": 24000, "speed": 1.0, "output_format": "mp3",
    }  # fmt: skip


def test_wav_and_what_is_not_streamed_come_as_a_file(service: Smallest, settings: Settings) -> None:
    assert spoken(WAV)[:4] == b"RIFF"
    settings.VOICE_STREAMED = False
    assert spoken()[:4] == MP3_FRAME[:4]
    assert {each.path for each in service.requests} == {"/waves/v1/tts"}


def test_a_stream_that_is_pcm_after_all_becomes_a_file(service: Smallest) -> None:
    service.streams_pcm = True
    audio = spoken()
    assert type_of(audio) == "audio/wav"
    found = look(audio)
    assert found is not None
    assert found.seconds == pytest.approx(len(TEXT) * 0.06, abs=0.01)
    assert int.from_bytes(audio[40:44], "little") == len(audio) - 44


@pytest.mark.parametrize(
    ("audio", "found"),
    [
        (MP3_FRAME, True), (b"ID3\x04rest", True), (b"\xff\xfb\x90\x64", True),
        (b"\xff\xff\xff\xff", False), (b"\xff\xf3\xf4\xc4", False), (bytes(4), False), (b"", False),
    ],
)  # fmt: skip
def test_mp3_is_told_from_plain_samples(audio: bytes, found: bool) -> None:
    assert is_mp3(audio) is found


@pytest.mark.parametrize("voice", [VOICE, WAV], ids=["streamed", "file"])
@pytest.mark.parametrize(
    ("fault", "kind", "free", "requests"),
    [
        ("status 401", "key", True, 1),
        ("status 400", "refused", True, 1),
        ("status 413", "refused", True, 1),
        ("status 403", "used_up", True, 1),
        ("status 429", "busy", True, 2),
        ("status 429 0", "busy", True, 2),
        ("status 429 30", "busy", True, 1),  # too long to wait for: it fails at once
        ("status 500", "down", True, 2),
        ("status 503 1", "down", True, 2),
        ("tiny", "broken", False, 1),
    ],
)
def test_what_is_no_audio_is_one_error(
    service: Smallest, voice: Voice, fault: str, kind: str, free: bool, requests: int
) -> None:
    service.always = fault
    with pytest.raises(SpeechFailed) as failed:
        spoken(voice)
    assert (failed.value.kind, failed.value.free) == (kind, free)
    assert str(failed.value).endswith((".", "?"))
    assert len(service.requests) == requests


@pytest.mark.parametrize(
    ("fault", "voice"),
    [("truncate", VOICE), ("truncate", WAV), ("unended", VOICE), ("error", VOICE),
     ("garbage", VOICE), ("html", VOICE), ("slow 5", VOICE)],
)  # fmt: skip
def test_what_breaks_off_is_an_error_and_not_asked_for_again(
    service: Smallest, fault: str, voice: Voice
) -> None:
    service.faults = [fault]
    with pytest.raises(SpeechFailed):
        spoken(voice)
    assert len(service.requests) == 1


@pytest.mark.parametrize("fault", ["status 429 1", "status 500", "status 503"])
def test_a_second_try_helps(service: Smallest, fault: str) -> None:
    service.faults = [fault]
    assert len(spoken()) > 20_000
    assert len(service.requests) == 2


def test_a_service_that_is_not_there_is_down(settings: Settings) -> None:
    settings.SMALLEST_API_KEY, settings.SMALLEST_BASE_URL = KEY, "http://127.0.0.1:9"
    with pytest.raises(SpeechFailed) as failed:
        spoken()
    assert (failed.value.kind, failed.value.free) == ("down", True)


def test_it_is_hung_up_on_when_nobody_listens(service: Smallest) -> None:
    service.always = "drip 0.2"
    heard = threading.Event()
    sink = Sink(lambda data: heard.set())
    ended: list[BaseException] = []

    def speak() -> None:
        try:
            smallest.speak(TEXT, VOICE, sink)
        except NobodyListens as left:
            ended.append(left)

    thread = threading.Thread(target=speak)
    thread.start()
    assert heard.wait(20)
    sink.leave()
    thread.join(20)
    assert len(ended) == 1
    wait_for("the end", lambda: service.requests[0].closed_by_client, timeout=20)
    assert not service.requests[0].answered


def test_no_more_is_spoken_at_once_than_the_account_may(
    service: Smallest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voice import places

    settings.VOICE_QUEUE = 60
    monkeypatch.setattr(places, "_own", lambda: semaphore)
    semaphore = threading.BoundedSemaphore(2)
    service.always = "slow 0.1"
    threads = [threading.Thread(target=spoken) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(each.answered for each in service.requests) == 8
    assert service.most_at_once <= 2
    settings.VOICE_QUEUE = 0
    with semaphore, semaphore, pytest.raises(SpeechFailed, match="as much at once"):
        spoken()


def test_a_recording_is_understood(service: Smallest) -> None:
    found = smallest.hear(b"audio", "de")
    assert (found.text, found.seconds) == ("What does it cost?", 2.0)
    assert service.requests[0].body == {"model": "pulse", "language": "de", "bytes": 5}


@pytest.mark.parametrize("fault", ["status 400", "status 500", "html"])
@pytest.mark.parametrize(
    "call", [smallest.voices, smallest.clones, lambda: smallest.hear(b"x", "en")]
)
def test_what_makes_no_sense_is_an_error_everywhere(
    service: Smallest, fault: str, call: Callable[[], object]
) -> None:
    service.always = fault
    with pytest.raises(SpeechFailed):
        call()


def test_a_voice_is_made_of_a_recording_listed_and_deleted(service: Smallest) -> None:
    sample = ("ada.wav", b"RIFF", "audio/wav")
    made = smallest.clone("Ada", sample, language="en", model="lightning-v3.1-pro")
    assert [each["voiceId"] for each in smallest.clones()] == [made]
    assert len(spoken(Voice("smallest", made, "lightning_v3.1_pro"))) > 20_000
    with pytest.raises(SpeechFailed):  # 200, and a header without sound
        spoken(Voice("smallest", made, "lightning_v3.1"))
    smallest.delete_clone(made)
    assert smallest.clones() == []
