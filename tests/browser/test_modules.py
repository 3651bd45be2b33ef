"""The widget's modules that need no server: transcript, outbox, markdown."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

Run = Callable[..., Any]


# --- The transcript -----------------------------------------------------------------------------

FRAMES = """
const { Transcript } = await import("/transcript.js");
const message = (seq, rev, more = {}) => ({ id: `m${seq}`, seq, rev, role: "agent", text: "",
    state: "complete", attempt: 1, ...more });
const conversation = (rev, id = "c") => ({ id, epoch: 1, rev, state: "open" });
const status = (rev, messages, more = {}) => ({ type: "status", state: "ready", messages,
    conversation: conversation(rev, more.id), open: null, full: false, more: false, ...more });
const open = (seq, rev, text = "", attempt = 1) =>
    ({ type: "message", message: message(seq, rev, { state: "streaming", text, attempt }) });
const delta = (off, text, attempt = 1) => ({ type: "delta", message: "m1", attempt, off, text });
const transcript = new Transcript();
transcript.load({ conversation: conversation(0), messages: [], earlier: false });
const take = (...frames) => frames.map((frame) => transcript.apply(frame)).pop();
const text = () => transcript.all().map((message) => message.text).join("|");
"""


@pytest.fixture
def transcript(page: Page) -> Run:
    """Runs lines with a transcript at hand; what the last, an expression, is worth."""
    return lambda *lines: page.evaluate(
        f"async () => {{ {FRAMES} {'; '.join(lines[:-1])}; return {lines[-1]} }}"
    )


def test_deltas_are_joined(transcript: Run) -> None:
    assert transcript("take(open(1, 1), delta(0, 'one '), delta(4, 'two'))", "text()") == "one two"


def test_offsets_count_as_javascript_does(transcript: Run) -> None:
    assert transcript("take(open(1, 1), delta(0, '🚲'), delta(2, '!'))", "text()") == "🚲!"


def test_an_overlap_is_dropped(transcript: Run) -> None:
    assert transcript("take(open(1, 1), delta(0, 'one two'), delta(4, 'two six'))", "text()") == (
        "one two six"
    )


def test_a_gap_asks_and_shows_nothing_of_it(transcript: Run) -> None:
    assert transcript("const ask = take(open(1, 1), delta(3, 'two'))", "[ask, text()]") == [
        True,
        "",
    ]


def test_a_delta_of_an_unknown_reply_asks(transcript: Run) -> None:
    assert transcript("take(delta(0, 'one'))") is True


def test_a_higher_attempt_begins_anew(transcript: Run) -> None:
    assert transcript("take(open(1, 1), delta(0, 'old'), delta(0, 'new', 2))", "text()") == "new"


def test_a_lower_attempt_is_ignored(transcript: Run) -> None:
    assert transcript("take(open(1, 2, '', 2), delta(0, 'old', 1))", "text()") == ""


def test_a_delta_after_the_end_is_ignored(transcript: Run) -> None:
    end = "{ type: 'message', message: message(1, 2, { text: 'whole' }) }"
    assert transcript(f"take(open(1, 1), {end}, delta(5, ' more'))", "text()") == "whole"


def test_a_lower_rev_is_ignored(transcript: Run) -> None:
    newer = "{ type: 'message', message: message(1, 1, { text: 'new' }) }"
    older = "{ type: 'message', message: message(1, 0, { text: 'old' }) }"
    assert transcript(f"take({newer}, {older})", "text()") == "new"


def test_a_missing_rev_asks_and_keeps_its_place(transcript: Run) -> None:
    assert transcript("const ask = take(open(1, 3))", "[ask, transcript.rev]") == [True, 0]


def test_an_open_reply_of_a_status_never_shrinks(transcript: Run) -> None:
    shorter = "status(1, [], { open: { message: open(1, 1, 'one').message, off: 3 } })"
    assert transcript(f"take(open(1, 1), delta(0, 'one two'), {shorter})", "text()") == "one two"


def test_full_forgets(transcript: Run) -> None:
    again = "status(1, [message(1, 1, { text: 'new' })], { full: true, id: 'd' })"
    assert transcript(f"take(open(1, 1), delta(0, 'old'), {again})", "text()") == "new"


def test_more_is_asked_for(transcript: Run) -> None:
    page = "status(9, [message(1, 1), message(2, 2)], { more: true })"
    assert transcript(f"const ask = take({page})", "[ask, transcript.rev]") == [True, 2]


def test_a_status_that_ran_ahead_asks_once(transcript: Run) -> None:
    assert transcript("[take(status(5, [])), take(status(5, [])), transcript.rev]") == [
        True,
        False,
        5,
    ]


def test_an_interrupted_reply_without_words_is_not_shown(transcript: Run) -> None:
    ends = "{ type: 'message', message: message(1, 1, { state: 'interrupted' }) }"
    assert transcript(f"take({ends})", "transcript.visible().length") == 0


def test_what_a_newer_server_says_is_ignored(transcript: Run) -> None:
    assert transcript("take({ type: 'rainbow', message: 'm1' })") is False


def test_live_frames_and_a_fresh_load_agree(transcript: Run) -> None:
    ended = "message(1, 2, { text: 'one two' })"
    live = f"take(open(1, 1), delta(0, 'one '), {{ type: 'message', message: {ended} }})"
    fresh = (
        "const other = new Transcript(); other.load({ conversation: conversation(2), "
        f"messages: [{ended}], earlier: false }})"
    )
    compare = "JSON.stringify(transcript.all()) === JSON.stringify(other.all())"
    assert transcript(live, fresh, f"{compare} && transcript.rev === other.rev") is True


# --- The outbox ---------------------------------------------------------------------------------

TABS = """
const { Outbox } = await import("/outbox.js");
const { Store } = await import("/storage.js");
const sent = [];
let line = true;
const send = (tab) => (frame) => line && sent.push(`${tab}:${frame.text}`) > 0;
const tab = (name) =>
    new Outbox({ store: new Store("demo"), send: send(name), changed() {}, tab: name });
const a = tab("a");
const b = tab("b");
"""


@pytest.fixture
def tabs(page: Page) -> Run:
    """Runs lines with the outboxes `a` and `b` of two tabs at hand."""
    return lambda *lines: page.evaluate(
        f"async () => {{ {TABS} {'; '.join(lines[:-1])}; return {lines[-1]} }}"
    )


def test_words_go_out_at_once(tabs: Run) -> None:
    assert tabs("await a.add('one')", "sent") == ["a:one"]


def test_words_wait_for_a_line_in_order(tabs: Run) -> None:
    waiting = ("line = false", "await a.add('one')", "await a.add('two')", "line = true")
    assert tabs(*waiting, "await a.resend()", "sent") == ["a:one", "a:two"]


def test_one_tab_does_not_repeat_what_another_has_just_sent(tabs: Run) -> None:
    assert tabs("await a.add('one')", "await b.resend()", "sent") == ["a:one"]


def test_a_new_line_repeats_what_was_not_acknowledged(tabs: Run) -> None:
    assert tabs("await a.add('one')", "await a.resend()", "sent") == ["a:one", "a:one"]


def test_a_tab_takes_over_from_one_that_is_gone(tabs: Run) -> None:
    old = "localStorage['sales-chat:demo:outbox'] = JSON.stringify([{ ...a.entries[0], sent: 1 }])"
    assert tabs("await a.add('one')", old, "await b.resend()", "sent") == ["a:one", "b:one"]


def test_what_is_acknowledged_is_gone_everywhere(tabs: Run) -> None:
    acknowledged = "a.acknowledge(a.entries[0].client_id)"
    assert tabs("await a.add('one')", acknowledged, "[a.entries, tab('c').entries]") == [[], []]


def test_a_final_refusal_waits_for_the_visitor(tabs: Run) -> None:
    refused = "a.refuse({ client_id: a.entries[0].client_id, message: 'No.', final: true })"
    state = "[a.entries[0].state, a.entries[0].error, sent.length]"
    assert tabs("await a.add('one')", refused, "await a.resend()", state) == ["failed", "No.", 1]


def test_a_passing_refusal_is_sent_again(tabs: Run) -> None:
    id_ = "client_id: a.entries[0].client_id"
    refused = f"a.refuse({{ {id_}, message: 'Wait.', final: false, retry_after: 0.05 }})"
    again = "while (sent.length < 2) await new Promise(requestAnimationFrame)"
    assert tabs("await a.add('one')", refused, again, "sent") == ["a:one", "a:one"]


# --- Markdown -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\n\ntwo", "<p>one</p><p>two</p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("**a** *b* `c*`", "<p><strong>a</strong> <em>b</em> <code>c*</code></p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("Prices:\n- a", "<p>Prices:</p><ul><li>a</li></ul>"),
        ("# Big", "<p><strong>Big</strong></p>"),
        ("```\na < b\n```", "<pre><code>a &lt; b</code></pre>"),
        ("<b onclick=x>", "<p>&lt;b onclick=x&gt;</p>"),
        ("[x](javascript:alert(1))", "<p><span>x</span></p>"),
        ("[x](data:text/html,1)", "<p><span>x</span></p>"),
        ("[x](//evil.example)", "<p><span>x</span></p>"),
        ("snake_case_name 2 * 3 * 4", "<p>snake_case_name 2 * 3 * 4</p>"),
        (r"\*not\*", "<p>*not*</p>"),
    ],
)
def test_markdown(page: Page, text: str, html: str) -> None:
    assert shown(page, text) == html


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("see https://example.com/a?b=1.", "https://example.com/a?b=1"),
        ("(https://example.com)", "https://example.com"),
        ("**https://example.com/a**", "https://example.com/a"),
        ("[w](https://example.com/a_(b))", "https://example.com/a_(b)"),
        ("![w](https://example.com/a.png)", "https://example.com/a.png"),
        ("me@example.com", "mailto:me@example.com"),
        ("[call](tel:+31201234567)", "tel:+31201234567"),
    ],
)
def test_links(page: Page, text: str, href: str) -> None:
    assert f'<a href="{href}" target="_blank" rel="noopener noreferrer nofollow">' in shown(
        page, text
    )


@pytest.mark.parametrize("text", ["It **cos", "It **", "It *", "It [cos", "It [cos](htt"])
def test_half_a_mark_is_not_seen_while_it_grows(page: Page, text: str) -> None:
    html = shown(page, text, growing=True)
    assert not set("*[]()") & set(html)


def test_blocks_that_stay_keep_their_nodes(page: Page) -> None:
    assert page.evaluate(
        """async () => {
            const { show } = await import("/markdown.js");
            const target = document.createElement("div");
            show(target, "one\\n\\ntw", true);
            const first = target.firstChild;
            show(target, "one\\n\\ntwo and three", true);
            return first === target.firstChild && target.lastChild.textContent;
        }"""
    ) == ("two and three")


def shown(page: Page, text: str, growing: bool = False) -> Any:
    return page.evaluate(
        """async ([text, growing]) => {
            const { show } = await import("/markdown.js");
            const target = document.createElement("div");
            show(target, text, growing);
            return target.innerHTML;
        }""",
        [text, growing],
    )
