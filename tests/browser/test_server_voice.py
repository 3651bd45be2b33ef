"""The server's voice and ears: audio that Chromium decodes and plays, and a recording it makes."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.test_listening import listening, microphone, sent
from tests.browser.test_voice import DESKTOP, FIRST, LONG, SECOND, THIRD, bar, opens, reader, told
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.smallest import KEY, SECONDS_A_CHARACTER, Request, Smallest

# What the players do, and whether the next has its sound when the one before ends.
PLAYED = """(() => {
  window.played = [];
  const { play } = HTMLMediaElement.prototype;
  const note = (it, what) => it.duration > 0.01 && played.push(
    { what, src: it.src, duration: it.duration, at: performance.now(), ready: it.readyState });
  HTMLMediaElement.prototype.play = function () {
    if (!this.watched) {
      this.watched = true;
      const watched = ["playing", "ended", "pause"];
      for (const what of watched) this.addEventListener(what, () => note(this, what));
    }
    note(this, "play");
    return play.call(this);
  };
  delete window.SpeechRecognition;
  delete window.webkitSpeechRecognition;
})()"""


@pytest.fixture(scope="session")
def service() -> Iterator[Smallest]:
    with Smallest() as made:
        yield made


@pytest.fixture(scope="session")
def serving(
    session_stack: MakeStack, service: Smallest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop whose server speaks and listens."""
    cache = tmp_path_factory.mktemp("voice")
    env = {"VOICE_BACKEND": "smallest", "SMALLEST_BASE_URL": service.url, "SMALLEST_API_KEY": KEY}
    made = session_stack(env={**env, "VOICE_CACHE_DIR": str(cache)})
    with Shop(made.server) as site:
        made.manage("seed_demo", "--origin", site.url)
        yield site


@pytest.fixture
def one(visitor: MakeVisitor, serving: Shop, service: Smallest) -> Visitor:
    made = visitor(viewport=DESKTOP)
    made.page.add_init_script(PLAYED)
    service.always = ""
    service.requests.clear()
    return opens(made, serving)


def played(one: Visitor, what: str) -> list[dict[str, Any]]:
    return [it for it in one.page.evaluate("played") if it["what"] == what]


def test_a_reply_is_heard_whole_in_order_and_without_a_gap(one: Visitor) -> None:
    reader(one).click()
    one.ask(f"/say {LONG}")
    one.page.wait_for_function("played.filter((it) => it.what === 'ended').length === 3")
    lasts = [len(text) * SECONDS_A_CHARACTER for text in (FIRST, SECOND, THIRD)]
    assert [it["duration"] for it in played(one, "ended")] == pytest.approx(lasts, abs=0.2)
    # The sound of the next was there before the one before it ended: nothing is waited for.
    assert [it["ready"] for it in played(one, "play")] == [4, 4]
    ended, next_ones = played(one, "ended")[:2], played(one, "playing")[1:]
    assert all(
        after["at"] - before["at"] < 150 for before, after in zip(ended, next_ones, strict=True)
    )
    expect(bar(one)).to_be_hidden()


def test_a_sound_begins_before_all_of_it_has_come(one: Visitor, service: Smallest) -> None:
    """Its pieces come slowly; what is played is the same as if it had been there at once."""
    service.always = "drip 0.3"
    reader(one).click()
    text = "Nobody has heard these words before, and they take a while."
    one.ask(f"/say {text}")
    one.page.wait_for_function("played.some((it) => it.what === 'playing')")
    [spoken] = [it for it in service.requests if it.body.get("text") == text]
    assert not spoken.answered
    one.page.wait_for_function("played.some((it) => it.what === 'ended')")
    assert played(one, "ended")[0]["duration"] == pytest.approx(
        len(text) * SECONDS_A_CHARACTER, abs=0.2
    )


def test_a_sound_that_breaks_off_is_said_by_the_browser(one: Visitor, service: Smallest) -> None:
    service.always = "truncate"
    reader(one).click()
    one.ask("/say This breaks off in the middle of what it says.")
    expect(told(one)).to_contain_text("your device reads instead")
    one.page.wait_for_function("heard.length === 1")


def test_a_browser_that_cannot_stream_waits_for_the_whole(
    visitor: MakeVisitor, serving: Shop, service: Smallest
) -> None:
    service.always = ""
    made = visitor(viewport=DESKTOP)
    made.page.add_init_script(PLAYED)
    made.page.add_init_script("delete window.MediaSource")
    reader(opens(made, serving)).click()
    made.ask(f"/say {LONG}")
    made.page.wait_for_function("played.filter((it) => it.what === 'ended').length === 3")


def test_a_pause_holds_a_sound_that_is_on_its_way(one: Visitor, service: Smallest) -> None:
    service.always = "hold"
    service.go.clear()
    reader(one).click()
    one.ask("/say These words are held back for a while.")
    one.button("Pause").click()
    service.go.set()
    one.page.wait_for_timeout(1500)
    assert service.requests[-1].answered
    one.page.wait_for_function("played.length === 0")
    one.button("Go on").click()
    one.page.wait_for_function("played.some((it) => it.what === 'ended')")
    assert len(played(one, "playing")) == 1


def test_a_strict_page_hears_it(visitor: MakeVisitor, serving: Shop, service: Smallest) -> None:
    """With the policy that docs/embedding.md names, and nothing else."""
    service.always = ""
    server = serving.server.url
    sources = f"script-src {server}; connect-src {server} {server.replace('http', 'ws')}"
    one = visitor(viewport=DESKTOP)
    one.page.add_init_script(PLAYED)
    serving.shows(serving.tag(), csp=f"default-src 'none'; {sources}; media-src blob:")
    one.visit(serving.url).open_chat()
    reader(one).click()
    one.ask("/say Heard all the same.")
    for _ in range(400):  # such a page lets nothing wait for a function either
        if played(one, "ended"):
            break
        one.page.wait_for_timeout(50)
    assert len(played(one, "ended")) == 1
    assert [text for text in one.console if "Content Security" in text] == []


def test_what_is_ended_is_fetched_no_more(one: Visitor, service: Smallest) -> None:
    service.always = "drip 1"
    reader(one).click()
    one.ask("/say This one nobody has ever heard before.")
    expect(bar(one)).to_be_visible()
    one.button("Stop reading aloud").click()

    def hung_up() -> list[Request]:
        return [it for it in service.requests if it.closed_by_client]

    for _ in range(200):
        if hung_up():
            break
        one.page.wait_for_timeout(50)
    assert hung_up()
    assert played(one, "playing") == []


def test_a_voice_that_fails_leaves_it_to_the_browser(one: Visitor, service: Smallest) -> None:
    service.always = "status 500"
    reader(one).click()
    one.ask("/say Nobody can say this aloud. But the browser can.")
    expect(told(one)).to_contain_text("your device reads instead")
    one.page.wait_for_function("heard.length === 2")


def test_a_recording_becomes_words(one: Visitor, service: Smallest) -> None:
    microphone(one).click()
    expect(listening(one)).to_contain_text("becomes words, and is not kept")
    one.page.wait_for_timeout(1500)  # of sound
    microphone(one).click()
    expect(one.field).to_have_value("What does it cost?")
    one.button("Send").click()
    expect(one.questions.last).to_have_attribute("data-state", "complete")
    assert sent(one) == [("What does it cost?", True)]
    assert [it.path for it in service.requests] == ["/waves/v1/stt/"]


def test_a_recording_that_nobody_understands_says_so(one: Visitor, service: Smallest) -> None:
    service.always = "status 500"
    microphone(one).click()
    expect(listening(one)).to_contain_text("becomes words, and is not kept")
    microphone(one).click()
    expect(told(one)).to_contain_text("Please type.")
    expect(microphone(one)).to_have_attribute("aria-pressed", "false")


DENIED = {
    "NotAllowedError": "The microphone is not allowed here.",
    "NotFoundError": "No microphone was found.",
}


@pytest.mark.parametrize("name", DENIED)
def test_a_microphone_that_is_not_to_be_had(one: Visitor, name: str) -> None:
    one.page.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = async () => {"
        " throw new DOMException('no', name) } }",
        name,
    )
    microphone(one).click()
    expect(told(one)).to_contain_text(DENIED[name])
    one.ask("/say Typed.").sees_reply("Typed.")
