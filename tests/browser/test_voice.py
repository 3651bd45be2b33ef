"""The chat reads its answers aloud, by a stand-in of the browser's voice that fires its events."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.test_accessibility import settle, violations
from tests.browser.words import Visitor
from tests.conftest import MakeStack

DESKTOP = {"width": 1280, "height": 800}
# Three parts, as the server cuts a text: the first sentence alone, then about a hundred letters.
FIRST = "One two three four."
SECOND = f"{' '.join(['Five six'] * 13)}."
THIRD = "Seven eight nine ten."
LONG = f"{FIRST} {SECOND} {THIRD}"
# A browser's voice, in one of these manners. quick: it says all; slow: its first word, and no more;
# lost: all, but tells no end; mute: it fails.
VOICE = """(() => {
  window.said = [];
  window.heard = [];
  window.manner = "quick";
  let now;
  class Utterance extends EventTarget {
    constructor(text) { super(); this.text = text; this.rate = this.volume = 1; }
  }
  const fire = (it, name, more = {}) => it["on" + name]?.({ ...more, utterance: it });
  const voice = (lang, name) => ({ lang, name, default: false });
  const synthesis = {
    getVoices: () => [voice("de-DE", "Anna"), voice("en-GB", "Kate"), voice("en-US", "Sam")],
    speak(it) {
      if (!it.text) return;
      now = it;
      const { text, rate, volume, lang, voice } = it;
      said.push({ text, rate, volume, lang, voice: voice?.name });
      setTimeout(() => {
        if (now !== it) return;
        if (manner === "mute") return fire(it, "error", { error: "synthesis-failed" });
        fire(it, "start");
        if (manner === "slow") return fire(it, "boundary", { charIndex: it.text.indexOf(" ") + 1 });
        setTimeout(() => {
          if (now !== it || manner === "lost") return;
          heard.push(it.text);
          fire(it, "end");
        }, 60);
      }, 5);
    },
    cancel() {
      if (!now) return;
      const it = now;
      now = undefined;
      window.cancelled = performance.now();
      setTimeout(() => fire(it, "error", { error: "interrupted" }));
    },
    get speaking() { return Boolean(now); },
  };
  Object.defineProperty(window, "SpeechSynthesisUtterance", { value: Utterance });
  Object.defineProperty(window, "speechSynthesis", { value: synthesis });
})()"""


@pytest.fixture(scope="session")
def talking(session_stack: MakeStack) -> Iterator[Shop]:
    """A shop whose chat speaks and listens by the visitor's own browser."""
    made = session_stack(env={"VOICE_BACKEND": "browser"})
    with Shop(made.server) as site:
        made.manage("seed_demo", "--origin", site.url)
        yield site


@pytest.fixture
def one(visitor: MakeVisitor, talking: Shop) -> Visitor:
    """A visitor of it, whose chat is open."""
    return opens(visitor(viewport=DESKTOP), talking)


def opens(one: Visitor, shop: Shop, html: str = "lang=en") -> Visitor:
    one.page.add_init_script(VOICE)
    one.visit(shop.sells(html=html).url).open_chat()
    expect(reader(one)).to_be_visible()
    return one


def reader(one: Visitor) -> Locator:
    """The button by which answers are read aloud."""
    return one.panel.locator("header .read")


def bar(one: Visitor) -> Locator:
    return one.panel.locator(".said")


def told(one: Visitor) -> Locator:
    """What the chat says of its voice."""
    return one.panel.locator(".voice [role=status]")


def heard(one: Visitor, *texts: str) -> None:
    """The voice has said all of this to its end, in this order, and nothing else."""
    one.page.wait_for_function("texts => heard.length >= texts.length", arg=list(texts))
    assert one.page.evaluate("heard") == list(texts)


def test_nothing_sounds_before_it_is_asked_for(one: Visitor) -> None:
    one.ask("/say One. Two.").sees_reply("One. Two.")
    assert one.page.evaluate("said") == []
    assert not any("/voice/voice" in url for url in one.requested)
    expect(reader(one)).to_have_attribute("aria-pressed", "false")


def test_replies_are_read_as_they_come(one: Visitor) -> None:
    reader(one).click()
    expect(reader(one)).to_have_attribute("aria-pressed", "true")
    one.ask(f"/say {LONG}")
    heard(one, FIRST, SECOND, THIRD)
    one.ask("/say Three.")
    heard(one, FIRST, SECOND, THIRD, "Three.")
    expect(bar(one)).to_be_hidden()


def test_a_reply_that_ends_before_the_voice_is_loaded_is_read(one: Visitor) -> None:
    """The button was pressed before the question; the code behind it may come late."""
    held: list[Route] = []
    one.page.route("**/voice/voice*.js", lambda route: held.append(route))
    reader(one).click()
    one.ask("/say Early words.").sees_reply("Early words.")
    one.page.wait_for_timeout(100)
    [waiting] = held
    waiting.continue_()
    heard(one, "Early words.")


def test_one_message_is_read_when_it_is_asked_for(one: Visitor) -> None:
    one.ask("/say **First** words for you. Last words.")
    one.last_reply.locator(".hear").click()
    heard(one, "First words for you.", "Last words.")
    one.last_reply.locator(".hear").click()
    heard(one, *["First words for you.", "Last words."] * 2)


# --- It ends when it should ---------------------------------------------------------------------


def begun(one: Visitor) -> Visitor:
    """A reply is being read, by a voice that takes for ever."""
    one.page.evaluate("manner = 'slow'")
    reader(one).click()
    one.ask(f"/say {LONG}")
    expect(bar(one)).to_be_visible()
    one.page.wait_for_function("said.length === 1")
    return one


ENDS = {
    "the button in its bar": "panel.querySelector('.said button:last-child').click()",
    "the button that began it": "panel.querySelector('header .read').click()",
    "a new message": "field.value = '/say Other.'; field.dispatchEvent(new Event('input'));"
    "field.form.requestSubmit()",
    "closing the chat": "SalesChat.close()",
    "another tab": "new BroadcastChannel('sales-chat:demo:voice').postMessage('')",
}


@pytest.mark.parametrize("way", ENDS)
def test_it_is_silent_at_once(one: Visitor, way: str) -> None:
    """Before the browser does anything else: at most the task that another tab's word comes in."""
    waits = "new Promise((done) => setTimeout(done))"
    ended = begun(one).page.evaluate(
        f"""async () => {{
            const {{ shadowRoot }} = document.querySelector("sales-chat");
            const panel = shadowRoot.querySelector(".panel");
            const field = panel.querySelector("textarea");
            {ENDS[way]};
            while ({str(way == "another tab").lower()} && speechSynthesis.speaking) await {waits};
            await null;
            return !speechSynthesis.speaking;
        }}"""
    )
    assert ended
    if way == "a new message":
        one.page.wait_for_function("said.at(-1).text === 'Other.'")
    else:
        expect(bar(one)).to_be_hidden()


def test_what_was_ended_stays_so_and_the_next_reply_is_read(one: Visitor) -> None:
    begun(one).button("Stop reading aloud").click()
    one.page.evaluate("manner = 'quick'")
    one.ask("/say Next.")
    heard(one, "Next.")
    assert [it["text"] for it in one.page.evaluate("said")] == [FIRST, "Next."]
    asked = [it["on"] for it in one.sent if it["type"] == "sound"]
    assert asked == [True, True, False, True]  # nobody makes what nobody hears


def test_a_pause_goes_on_where_it_was(one: Visitor) -> None:
    begun(one).button("Pause").click()
    expect(one.button("Go on")).to_be_visible()
    one.page.evaluate("manner = 'quick'")
    one.button("Go on").click()
    heard(one, "two three four.", SECOND, THIRD)


def test_another_place_is_chosen_by_the_slider(one: Visitor) -> None:
    place = begun(one).panel.get_by_role("slider", name="Read answers aloud")
    expect(place).to_have_attribute("aria-valuetext", "Part 1 of 3")
    one.page.evaluate("manner = 'quick'")
    place.press("End")
    heard(one, THIRD)


def test_speed_and_loudness_are_kept(one: Visitor, talking: Shop) -> None:
    begun(one).panel.get_by_label("Speed").select_option("1.5")
    one.panel.get_by_role("slider", name="Volume").press("Home")
    one.page.wait_for_function("said.at(-1).volume === 0 && said.at(-1).rate === 1.5")
    other = opens(visitor_like(one), talking)
    other.last_reply.locator(".hear").click()
    heard(other, FIRST, SECOND, THIRD)
    assert {(it["rate"], it["volume"]) for it in other.page.evaluate("said")} == {(1.5, 0)}


def visitor_like(one: Visitor) -> Visitor:
    """Another tab of theirs."""
    return Visitor(one.page.context.new_page())


def test_what_is_muted_is_said_without_sound(one: Visitor) -> None:
    begun(one).button("Mute").click()
    one.page.wait_for_function("said.at(-1).volume === 0")
    expect(one.button("Mute")).to_have_attribute("aria-pressed", "true")


# --- Headphones and lock screens ----------------------------------------------------------------

# Presses a button of theirs, as far as it has been given something to do.
KEYS = """(() => {
  window.keys = {};
  const { setActionHandler } = MediaSession.prototype;
  MediaSession.prototype.setActionHandler = function (name, act) {
    setActionHandler.call(this, name, act);
    keys[name] = act;
  };
})()"""


def playing(one: Visitor) -> object:
    """What a lock screen shows of it."""
    return one.page.evaluate(
        "[navigator.mediaSession.playbackState, navigator.mediaSession.metadata?.title]"
    )


def test_headphones_and_lock_screens_have_their_buttons(
    visitor: MakeVisitor, talking: Shop
) -> None:
    one = visitor(viewport=DESKTOP)
    one.page.add_init_script(KEYS)
    begun(opens(one, talking))
    assert playing(one) == ["playing", one.title.inner_text()]
    one.page.evaluate("keys.pause()")
    expect(one.button("Go on")).to_be_visible()
    assert not one.page.evaluate("speechSynthesis.speaking")
    assert playing(one) == ["paused", one.title.inner_text()]
    one.page.evaluate("keys.play()")
    one.page.wait_for_function("said.at(-1).text === 'two three four.'")
    one.page.evaluate("keys.nexttrack()")
    one.page.wait_for_function("text => said.at(-1).text === text", arg=SECOND)
    one.page.evaluate("keys.previoustrack()")
    one.page.wait_for_function("text => said.at(-1).text === text", arg=FIRST)
    one.page.evaluate("keys.stop()")
    expect(bar(one)).to_be_hidden()
    assert playing(one) == ["none", None]
    assert one.page.evaluate("Object.values(keys).every((act) => act === null)")
    assert [it["on"] for it in one.sent if it["type"] == "sound"][-1] is False


# --- It fails, and says so ----------------------------------------------------------------------


def test_a_voice_that_forgets_its_end_is_not_waited_for(one: Visitor) -> None:
    one.page.evaluate("manner = 'lost'")
    reader(one).click()
    one.ask("/say One two three. Four.")
    one.page.wait_for_function("said.length === 2")
    expect(bar(one)).to_be_hidden()


def test_a_device_without_a_voice_says_so(one: Visitor) -> None:
    one.page.evaluate("manner = 'mute'")
    reader(one).click()
    one.ask("/say One. Two.")
    expect(told(one)).to_have_text("This device has no voice to read this aloud.")
    expect(bar(one)).to_be_hidden()


def test_a_browser_without_speech_says_so(visitor: MakeVisitor, talking: Shop) -> None:
    one = visitor(viewport=DESKTOP)
    one.page.add_init_script(
        "delete window.speechSynthesis; delete Window.prototype.speechSynthesis"
    )
    one.visit(talking.sells().url).open_chat().ask("/say One.")
    one.last_reply.locator(".hear").click()
    expect(told(one)).to_have_text("This device has no voice to read this aloud.")


# --- Which voice, and where ---------------------------------------------------------------------


def test_the_voice_is_of_the_pages_language(visitor: MakeVisitor, talking: Shop) -> None:
    one = opens(visitor(viewport=DESKTOP), talking, html="lang=en-GB")
    reader(one).click()
    one.ask("/say One.")
    heard(one, "One.")
    assert one.page.evaluate("said[0]")["voice"] == "Kate"


def test_the_sentence_that_is_said_is_marked(one: Visitor) -> None:
    begun(one)
    marked = "String([...CSS.highlights.get('sales-chat-spoken') ?? []][0])"
    one.page.wait_for_function(f"{marked} === '{FIRST[:-1]}'")
    one.panel.get_by_role("slider", name="Read answers aloud").press("ArrowRight")
    one.page.wait_for_function(f"{marked} === '{SECOND[:-1]}'")
    one.button("Stop reading aloud").click()
    assert one.page.evaluate(marked) == "undefined"


def test_one_tab_speaks(one: Visitor, talking: Shop) -> None:
    begun(one)
    other = opens(visitor_like(one), talking)
    expect(reader(other)).to_have_attribute("aria-pressed", "true")
    other.ask("/say New.")
    heard(other, "New.")
    expect(bar(one)).to_be_hidden()
    expect(one.last_reply.locator(".bubble")).to_have_text("New.")
    assert len(one.page.evaluate("said")) == 1


def test_a_visitor_who_blocks_storage_is_read_to(visitor: MakeVisitor, talking: Shop) -> None:
    one = visitor(viewport=DESKTOP)
    blocked = "{ get() { throw new DOMException('blocked', 'SecurityError') } }"
    one.page.add_init_script(f"Object.defineProperty(window, 'localStorage', {blocked})")
    opens(one, talking)
    reader(one).click()
    one.ask("/say One.")
    heard(one, "One.")


# --- For everyone -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_read_breaks_no_rule(visitor: MakeVisitor, talking: Shop, scheme: str) -> None:
    one = begun(opens(visitor(viewport=DESKTOP, color_scheme=scheme), talking))
    expect(one.last_reply.locator(".hear")).to_have_attribute("aria-pressed", "true")
    settle(one)
    assert violations(one) == []


def test_keys_do_it_all(one: Visitor) -> None:
    begun(one).panel.get_by_role("slider", name="Volume").press("Tab")
    one.page.keyboard.press("Enter")
    expect(bar(one)).to_be_hidden()
