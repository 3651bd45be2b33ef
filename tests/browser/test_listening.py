"""The chat hears what a visitor says, by a stand-in of the browser's recognition."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.test_accessibility import settle, violations
from tests.browser.test_voice import DESKTOP, LONG, begun, opens, talking, told
from tests.browser.words import Visitor

__all__ = ["talking"]
# The browser's own recognition; a test speaks by `hears`.
RECOGNITION = """(() => {
  window.sessions = [];
  window.fails = "";
  class Recognition {
    constructor() { this.results = []; sessions.push(this); }
    start() {
      if (this.live) throw new DOMException("started", "InvalidStateError");
      this.live = true;
      setTimeout(() => {
        if (fails) this.onerror?.({ error: fails });
        if (fails) this.over();
        else this.onstart?.({});
      });
    }
    stop() { setTimeout(() => this.over()); }
    abort() {
      setTimeout(() => {
        if (this.live) this.onerror?.({ error: "aborted" });
        this.over();
      });
    }
    over() { if (this.live) { this.live = false; this.onend?.({}); } }
  }
  window.SpeechRecognition = window.webkitSpeechRecognition = Recognition;
  window.hears = (text, final = true) => {
    const it = sessions.at(-1);
    if (it.open) it.results.pop();
    it.open = !final;
    it.results.push(Object.assign([{ transcript: text }], { isFinal: final }));
    it.onresult?.({ results: it.results, resultIndex: it.results.length - 1 });
  };
})()"""


@pytest.fixture
def one(visitor: MakeVisitor, talking: Shop) -> Visitor:
    """A visitor whose chat is open, with a browser that listens."""
    return listens(visitor(viewport=DESKTOP), talking)


def listens(one: Visitor, shop: Shop, html: str = "lang=en") -> Visitor:
    one.page.add_init_script(RECOGNITION)
    opens(one, shop, html)
    expect(microphone(one)).to_be_visible()
    return one


def microphone(one: Visitor) -> Locator:
    return one.panel.locator(".composer .talk")


def listening(one: Visitor) -> Locator:
    """What is to be seen while it listens."""
    return one.panel.locator(".heard")


def begins(one: Visitor, count: int = 1) -> None:
    """So many times it has begun to listen."""
    one.page.wait_for_function(
        "count => sessions.length >= count && sessions.at(-1).live", arg=count
    )


def says(one: Visitor, text: str, final: bool = True) -> None:
    one.page.evaluate("given => hears(...given)", [text, final])


def sent(one: Visitor) -> list[tuple[object, object]]:
    """What went to the server as a message, and whether as spoken."""
    return [(it["text"], it.get("voice")) for it in one.sent if it["type"] == "message"]


# --- By the browser -----------------------------------------------------------------------------


def test_words_stand_in_the_field_while_they_are_said(one: Visitor) -> None:
    one.field.fill("Hello.")
    microphone(one).click()
    begins(one)
    expect(microphone(one)).to_have_attribute("aria-pressed", "true")
    expect(listening(one)).to_contain_text("Your browser turns your voice into words")
    says(one, "how much", final=False)
    expect(one.field).to_have_value("Hello. how much")
    says(one, "how much is it")
    says(one, "in blue")
    expect(one.field).to_have_value("Hello. how much is it in blue")
    microphone(one).click()
    expect(listening(one)).to_be_hidden()
    one.button("Send").click()
    expect(one.questions.last).to_have_attribute("data-state", "complete")
    assert sent(one) == [("Hello. how much is it in blue", True)]


def test_what_is_typed_after_it_is_not_spoken(one: Visitor) -> None:
    microphone(one).click()
    begins(one)
    says(one, "nonsense")
    one.field.fill("")
    one.ask("/say Fine.")
    assert sent(one) == [("/say Fine.", None)]
    expect(listening(one)).to_be_hidden()


def test_who_holds_the_button_has_it_sent_when_they_let_go(one: Visitor) -> None:
    microphone(one).click()  # which loads it
    begins(one)
    microphone(one).click()
    expect(listening(one)).to_be_hidden()
    microphone(one).hover()
    one.page.mouse.down()
    begins(one, 2)
    says(one, "/say Held.")
    one.page.wait_for_function("performance.now() > 500 + (window.since ??= performance.now())")
    one.page.mouse.up()
    one.sees_reply("Held.")
    assert sent(one) == [("/say Held.", True)]


def free(one: Visitor, seconds: str = "1") -> None:
    """They have their words sent after a pause."""
    microphone(one).click()
    begins(one)
    listening(one).get_by_role("combobox").select_option(seconds)


def test_hands_free_sends_after_a_pause_and_listens_again(one: Visitor) -> None:
    free(one)
    says(one, "/say One.")
    one.sees_reply("One.")
    begins(one, 2)
    says(one, "/say Two.")
    one.sees_reply("Two.")
    assert sent(one) == [("/say One.", True), ("/say Two.", True)]
    expect(microphone(one)).to_have_attribute("aria-pressed", "true")


def test_it_never_hears_its_own_voice(one: Visitor) -> None:
    one.panel.locator("header .read").click()
    one.page.evaluate("manner = 'slow'")
    free(one)
    says(one, f"/say {LONG}")
    one.page.wait_for_function("said.length === 1")
    assert one.page.evaluate("sessions.filter((it) => it.live).length") == 0
    one.button("Stop reading aloud").click()
    begins(one, 2)


def test_who_begins_to_speak_ends_what_is_read(one: Visitor) -> None:
    begun(one)
    assert microphone(one).evaluate("it => (it.click(), true)")
    begins(one)
    assert not one.page.evaluate("speechSynthesis.speaking")
    assert one.page.evaluate("sessions.length") == 1
    says(one, "wait", final=False)
    expect(one.panel.locator(".said")).to_be_hidden()


def test_a_false_interruption_lets_it_go_on(one: Visitor) -> None:
    begun(one)
    microphone(one).click()
    begins(one)
    microphone(one).click()
    one.page.wait_for_function("said.length === 2 && speechSynthesis.speaking")


def test_a_browser_that_ends_it_now_and_then_is_started_again(one: Visitor) -> None:
    free(one, "3")
    one.page.evaluate("sessions.at(-1).over()")
    begins(one, 2)
    expect(listening(one)).to_be_visible()


def test_it_listens_in_the_language_of_the_page(visitor: MakeVisitor, talking: Shop) -> None:
    one = listens(visitor(viewport=DESKTOP), talking, "lang=de-AT")
    microphone(one).click()
    begins(one)
    assert one.page.evaluate("sessions[0].lang") == "de-AT"


def test_it_listens_on_the_device_where_it_can(one: Visitor) -> None:
    one.page.evaluate("SpeechRecognition.available = async () => 'available'")
    microphone(one).click()
    begins(one)
    expect(listening(one)).to_contain_text("Your voice stays on this device.")
    assert one.page.evaluate("sessions[0].processLocally") is True


FAILS = {
    "not-allowed": "The microphone is not allowed here.",
    "audio-capture": "No microphone was found.",
    "network": "Listening needs a connection",
    "service-not-allowed": "This browser cannot listen here.",
    "language-not-supported": "This browser cannot listen here.",
    "no-speech": "Nothing was heard.",
}


@pytest.mark.parametrize("error", FAILS)
def test_what_fails_is_said_in_words(one: Visitor, error: str) -> None:
    one.page.evaluate("error => { fails = error; }", error)
    microphone(one).click()
    expect(told(one)).to_contain_text(FAILS[error])
    expect(microphone(one)).to_have_attribute("aria-pressed", "false")
    expect(listening(one)).to_be_hidden()
    one.ask("/say Typed.").sees_reply("Typed.")


def test_a_browser_that_has_none_says_so(visitor: MakeVisitor, talking: Shop) -> None:
    one = visitor(viewport=DESKTOP)
    one.page.add_init_script(
        "delete window.webkitSpeechRecognition; delete window.SpeechRecognition"
    )
    opens(one, talking)
    microphone(one).click()
    expect(told(one)).to_contain_text("This browser cannot listen here.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_listening_breaks_no_rule(visitor: MakeVisitor, talking: Shop, scheme: str) -> None:
    one = listens(visitor(viewport=DESKTOP, color_scheme=scheme), talking)
    microphone(one).click()
    begins(one)
    says(one, "some words")
    settle(one)
    assert violations(one) == []
