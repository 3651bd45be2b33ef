"""The messages: who said what and when, where the reader is, and what can be done with a reply."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.words import Visitor, words
from tests.conftest import MakeStack
from tests.servers import Server, Stack

PRICES = "\n".join(
    [
        "| Model | Load | Price |",
        "|:------|-----:|-------|",
        "| Hauler | 80 kg | €2,490 |",
        "| Mini | 60 kg | €1,990 |",
    ]
)
RULES = [
    {"match": "table", "events": [{"text": PRICES}], "pace": 0.02},
    {"match": "twice", "events": [{"text": "First."}], "times": 1},
    {"match": "twice", "events": [{"wait": 0.5}, {"text": "Second."}]},
    {"match": "pause", "events": [{"wait": 0.5}, {"text": "Here."}]},
    {"match": "slow", "events": [{"wait": 60}]},
]
# The last reply's message is called `last` in what follows.
LAST = """
from chat.models import Message
last = Message.objects.filter(role="agent").latest("created")
"""
CITES = (
    "last.sources = [{'title': 'Prices', 'url': 'https://example.com/prices'},"
    "{'title': 'Bad', 'url': 'javascript:alert(1)'}]; last.save()"
)
AGES = """
from datetime import timedelta
for message in last.conversation.messages.all():
    message.created -= timedelta(days={1: 9, 2: 9, 3: 9, 4: 1, 5: 1}.get(message.seq, 0))
    message.save()
"""
PERSON = """
last.role, last.name, last.attempt = "staff", "Noor", 1
last.save()
"""
SPEAKS_ON = """
from datetime import timedelta
last.role, last.name = "staff", "Noor"
last.save()
last.conversation.messages.create(role="staff", name="Noor", text="One more.", seq=last.seq + 1,
    rev=last.rev + 1, state="complete", created=last.created + timedelta(minutes=MINUTES))
"""


@pytest.fixture
def mira(visitor: MakeVisitor, sqlite_server: Server) -> Visitor:
    """A visitor on the chat's own page, on a small screen."""
    one = visitor(viewport={"width": 420, "height": 640}, permissions=["clipboard-read"])
    return one.visit(f"{sqlite_server.url}/chat/demo")


@pytest.fixture
def told(stack: MakeStack, tmp_path: Path) -> Stack:
    """A stack of its own that plays `RULES`; a test may change what it stored."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps(RULES))
    return stack(env={"CHAT_SCRIPT": str(script)})


def after(made: Stack, one: Visitor, change: str, more: int = 0) -> Visitor:
    """What the visitor sees once this has been done to what is stored; `more` rows are new."""
    count = one.rows.count() + more
    made.manage("shell", "-c", f"{LAST}\n{change}")
    one.page.reload()
    expect(one.rows).to_have_count(count)
    return one


def top(row: Locator) -> float:
    box = row.bounding_box()
    assert box is not None
    return box["y"]


# --- Who and when -------------------------------------------------------------------------------


def test_words_in_a_row_have_one_name_and_one_time(mira: Visitor) -> None:
    mira.say("/words 30 30")
    expect(mira.last_reply).to_contain_text("w1")  # else the second question comes before any word
    mira.say("/say And that.").sees_reply("And that.")
    expect(mira.rows).to_have_count(5)
    expect(mira.questions.nth(0)).to_have_attribute("data-first", "")
    expect(mira.questions.last).to_have_attribute("data-last", "")
    expect(mira.times).to_have_count(mira.panel.locator(".row[data-first]").count())
    expect(mira.last_reply.locator(".who")).to_have_text("Mira")


def test_a_time_is_the_message_s_own(mira: Visitor) -> None:
    mira.ask("Hello")
    time = mira.last_reply.locator("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", time.get_attribute("datetime") or "")
    expect(time).to_have_text(re.compile(r"^\d{1,2}:\d\d [AP]M$"))


def test_days_have_their_lines(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo").ask("Hello").ask("Hello").ask("Hello")
    expect(one.days).to_have_text(["Today"])
    after(told, one, AGES)
    expect(one.days).to_have_text([re.compile(r"^\w+day, \w+ \d+$"), "Yesterday", "Today"])


def test_a_device_s_wrong_clock_moves_no_day(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor()
    one.page.add_init_script(
        "{ const real = Date.now; Date.now = () => real() + 86_400_000 * 1.5; }"
    )
    one.visit(f"{told.server.url}/chat/demo").ask("Hello")
    expect(one.days).to_have_text(["Today"])
    one.page.reload()
    expect(one.rows).to_have_count(3)
    expect(one.days).to_have_text(["Today"])


@pytest.mark.parametrize(("minutes", "first"), [("1", False), ("6", True)])
def test_a_pause_begins_a_group(
    visitor: MakeVisitor, told: Stack, minutes: str, first: bool
) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo").ask("Hello")
    after(told, one, SPEAKS_ON.replace("MINUTES", minutes), more=1)
    expect(one.times).to_have_count(4 if first else 3)


def test_a_person_speaks_by_name(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo").ask("Hello")
    after(told, one, PERSON)
    row = one.panel.locator('.row[data-role="staff"]')
    expect(row.locator(".who")).to_have_text("Noor")
    expect(row.locator(".bubble")).not_to_have_css("box-shadow", "none")
    expect(one.actions(row).get_by_role("button")).to_have_count(3)  # nobody answers again


# --- Where the reader is ------------------------------------------------------------------------


def test_a_long_reply_is_read_from_its_first_line(mira: Visitor) -> None:
    mira.say("/words 400 2").sees_reply(words(400))
    edge = top(mira.scroller)
    assert edge <= top(mira.last_reply) <= edge + 20
    expect(mira.to_the_end).to_have_text("New words below")
    mira.to_the_end.click()
    expect(mira.actions(mira.last_reply)).to_be_in_viewport(ratio=1)
    expect(mira.to_the_end).to_be_hidden()


def test_at_the_end_the_newest_words_stay_in_view(mira: Visitor) -> None:
    mira.ask("/words 400 0").say("/words 60 20").sees_reply(words(60))
    expect(mira.last_reply.locator(".bubble")).to_be_in_viewport(ratio=1)
    expect(mira.to_the_end).to_be_hidden()


def test_without_news_the_button_leads_to_the_end(mira: Visitor) -> None:
    mira.ask("/words 400 0")
    mira.to_the_end.click()
    expect(mira.to_the_end).to_be_hidden()
    mira.scroll_to(0)
    expect(mira.to_the_end).to_have_attribute("aria-label", "To the newest message")
    expect(mira.to_the_end).to_have_text("")


def test_earlier_messages_leave_the_reader_where_they_are(mira: Visitor) -> None:
    for number in range(26):
        mira.ask(f"/say answer {number}")
    mira.page.reload()
    expect(mira.rows).to_have_count(50)
    mira.scroll_to(0)
    row = mira.rows.nth(1)
    row.evaluate("row => { row.id = 'read' }")
    before = top(row)
    mira.button("Earlier messages").click()
    expect(mira.rows).to_have_count(53)
    assert abs(top(mira.panel.locator("#read")) - before) < 2


def test_nothing_moves_when_words_take_the_sign_s_place(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo")
    expect(one.rows).to_have_count(1)
    one.page.evaluate(WATCH)
    one.ask("pause")
    sign, words_ = one.page.evaluate("seen")
    assert (sign["x"], sign["y"], sign["height"]) == (words_["x"], words_["y"], words_["height"])


# The places of the typing sign's bubble and, later, of the words'.
WATCH = """() => {
    const root = document.querySelector("sales-chat").shadowRoot;
    const log = root.querySelector(".rows");
    globalThis.seen = [];
    const look = (selector) => root.querySelector(selector)?.getBoundingClientRect().toJSON();
    new MutationObserver(() => {
        const sign = look(".typing > .bubble");
        const words = look('[data-role="agent"]:last-child:not(:first-child, .day + *) > .bubble');
        if (sign) seen[0] = sign;
        else if (words && seen[0]) seen[1] ??= words;
    }).observe(log, { childList: true });
}"""


def test_the_sign_says_in_words_what_goes_on(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo").say("slow")
    expect(one.typing).to_contain_text("Mira is")
    expect(one.typing.locator("span")).to_have_css("opacity", "1")


# --- What can be done with a reply --------------------------------------------------------------


def test_a_reply_is_copied(mira: Visitor) -> None:
    mira.ask("/say **Bold** words")
    mira.button("Copy").last.click()
    expect(mira.panel.get_by_role("status").filter(has_text="Copied")).to_be_attached()
    assert mira.page.evaluate("navigator.clipboard.readText()") == "Bold words"


def test_a_reply_is_copied_where_the_clipboard_is_refused(mira: Visitor) -> None:
    mira.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error()) }"
    )
    mira.ask("/say Old ways")
    mira.button("Copy").last.click()
    expect(mira.panel.get_by_role("status").filter(has_text="Copied")).to_be_attached()
    assert mira.page.evaluate("navigator.clipboard.readText()") == "Old ways"


def test_thumbs_are_kept_and_seen_in_every_tab(
    mira: Visitor, visitor: MakeVisitor, sqlite_server: Server
) -> None:
    mira.ask("Hello")
    other = visitor(like=mira).visit(f"{sqlite_server.url}/chat/demo")
    good = mira.last_reply.get_by_role("button", name="Good answer")
    expect(good).to_have_attribute("aria-pressed", "false")
    good.click()
    for one in (mira, other):
        pressed = one.last_reply.get_by_role("button", name="Good answer")
        expect(pressed).to_have_attribute("aria-pressed", "true")
    mira.page.reload()
    expect(good).to_have_attribute("aria-pressed", "true")
    good.click()
    expect(good).to_have_attribute("aria-pressed", "false")


def test_a_thumb_down_may_say_why_by_keyboard_alone(mira: Visitor) -> None:
    mira.ask("Hello")
    bad = mira.last_reply.get_by_role("button", name="Bad answer")
    bad.press("Enter")
    expect(mira.why).to_be_focused()
    mira.why.fill("Too long")
    mira.why.press("Enter")
    expect(mira.last_reply).to_contain_text("Thank you")
    expect(bad).to_be_focused()
    expect(bad).to_have_attribute("aria-pressed", "true")
    comments = [frame.get("comment") for frame in mira.sent if frame["type"] == "feedback"]
    assert comments == [None, "Too long"]


def test_escape_leaves_the_why_and_not_the_chat(mira: Visitor, sqlite_server: Server) -> None:
    mira.visit(sqlite_server.url).open_chat().ask("Hello")
    mira.last_reply.get_by_role("button", name="Bad answer").click()
    mira.why.press("Escape")
    expect(mira.why).to_be_hidden()
    expect(mira.panel).to_be_visible()


def test_the_last_reply_is_answered_again(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo").ask("twice").sees_reply("First.")
    expect(one.button("Answer again")).to_have_count(1)
    one.button("Answer again").press("Enter")
    one.sees_reply("Second.")
    expect(one.scroller).to_be_focused()  # the button went while the words were written


def test_older_replies_offer_it_under_the_mouse(mira: Visitor) -> None:
    mira.ask("/say One.").ask("/say Two.")
    older = mira.actions(mira.replies.nth(1))
    expect(mira.actions(mira.last_reply)).to_have_css("opacity", "1")
    expect(older).to_have_css("opacity", "0")
    mira.replies.nth(1).hover()
    expect(older).to_have_css("opacity", "1")
    mira.last_reply.hover()
    expect(older).to_have_css("opacity", "0")
    older.get_by_role("button", name="Copy").focus()
    expect(older).to_have_css("opacity", "1")


def test_sources_unfold(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo").ask("Hello")
    after(told, one, CITES)
    button = one.button("2 sources")
    expect(one.sources).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(one.sources.get_by_role("link")).to_have_text(["Prices"])
    expect(one.sources.get_by_role("listitem")).to_have_text(["Prices", "Bad"])
    one.last_reply.get_by_role("button", name="Good answer").click()
    expect(one.last_reply.locator("[aria-pressed=true]")).to_have_count(1)
    expect(one.sources).to_be_visible()


# --- What words look like -----------------------------------------------------------------------


def test_a_table_of_numbers_is_a_table(visitor: MakeVisitor, told: Stack) -> None:
    one = visitor().visit(f"{told.server.url}/chat/demo").ask("A table, please.")
    frame = one.last_reply.get_by_role("group", name="Model, Load, Price")
    expect(frame).to_have_attribute("tabindex", "0")
    expect(frame.get_by_role("cell")).to_have_text(
        ["Hauler", "80 kg", "€2,490", "Mini", "60 kg", "€1,990"]
    )
    expect(frame.get_by_role("cell", name="€1,990")).to_have_css("text-align", "end")
    expect(frame.get_by_role("cell", name="Mini")).to_have_css("text-align", "start")


def test_a_long_word_breaks_in_its_bubble(mira: Visitor) -> None:
    mira.ask(f"/say {'A' * 200} https://www.example.com/{'b' * 200}")
    wide = mira.scroller.evaluate("element => element.scrollWidth - element.clientWidth")
    assert wide == 0


@pytest.mark.parametrize(("language", "side"), [("en", "right"), ("ar", "left")])
@pytest.mark.parametrize("words_", ["Hello", "مرحبا"])
def test_the_tail_is_on_the_speaker_s_side(
    visitor: MakeVisitor, shop: Shop, language: str, side: str, words_: str
) -> None:
    one = visitor().visit(shop.sells(html=f"lang={language}").url).open_chat()
    expect(one.panel).to_have_attribute("lang", language)
    one.ask(words_)
    bubble = one.questions.last.locator(".bubble")
    expect(bubble).to_have_css(f"border-bottom-{side}-radius", "6px")
    other = "left" if side == "right" else "right"
    expect(bubble).to_have_css(f"border-bottom-{other}-radius", "18px")


# --- Tables, letter by letter -------------------------------------------------------------------


def test_a_growing_table_is_never_seen_as_text(page: Page) -> None:
    seen = page.evaluate(
        """async (text) => {
            const { show } = await import("/markdown.js");
            const target = document.createElement("div");
            const seen = [];
            for (let end = 1; end <= text.length; end++) {
                show(target, text.slice(0, end), true);
                if (target.textContent.includes("|")) seen.push(target.textContent);
            }
            return seen;
        }""",
        PRICES,
    )
    assert seen == []


def test_a_growing_table_keeps_its_frame_and_rows(page: Page) -> None:
    assert page.evaluate(
        """async ([head, more]) => {
            const { show } = await import("/markdown.js");
            const target = document.createElement("div");
            show(target, head, true);
            while (!target.querySelector(".table")) await new Promise((next) => setTimeout(next));
            const kept = [target.querySelector(".table"), target.querySelector("tbody tr")];
            show(target, head + more, true);
            return kept.every((node) => target.contains(node)) && target.textContent;
        }""",
        [PRICES, "\n| Maxi | 1"],
    ).endswith("Maxi1")


def test_a_pipe_alone_is_no_table(page: Page) -> None:
    html = page.evaluate(
        """async () => {
            const { show } = await import("/markdown.js");
            const target = document.createElement("div");
            show(target, "red | green\\nand blue");
            return target.querySelectorAll("table").length;
        }"""
    )
    assert html == 0
