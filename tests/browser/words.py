"""What a visitor does and sees, in words: the tests say these, and only here stand selectors."""

import json

from playwright.sync_api import CDPSession, ConsoleMessage, Locator, Page, WebSocket, expect

from tests.canaries import said

# A line that was cut tries again after up to thirty seconds.
expect.set_options(timeout=45_000)


class Visitor:
    """Somebody in front of one tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []  # uncaught on the page
        self.console: list[str] = []  # what the console shows as an error
        self.requested: list[str] = []
        self.sent: list[dict[str, object]] = []  # frames, in order
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("websocket", self._websocket)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console.append(message.text)

    def _websocket(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: self.sent.append(json.loads(payload)))

    # --- What there is ---

    @property
    def launcher(self) -> Locator:
        return self.page.locator("sales-chat .launcher")

    @property
    def panel(self) -> Locator:
        return self.page.locator("sales-chat .panel")

    @property
    def field(self) -> Locator:
        return self.panel.locator("textarea")

    @property
    def rows(self) -> Locator:
        return self.panel.locator(".row")

    @property
    def replies(self) -> Locator:
        return self.panel.locator('.row[data-role="agent"]')

    @property
    def last_reply(self) -> Locator:
        return self.replies.last

    @property
    def questions(self) -> Locator:
        return self.panel.locator('.row[data-role="visitor"]')

    @property
    def suggestions(self) -> Locator:
        return self.panel.locator(".suggestions button")

    @property
    def line(self) -> Locator:
        return self.panel.locator(".line")

    @property
    def framed_line(self) -> Locator:
        """Of a chat in a frame of the page."""
        return self.page.frame_locator("iframe").locator("sales-chat .line")

    @property
    def counter(self) -> Locator:
        return self.panel.locator(".count")

    @property
    def spoken_counter(self) -> Locator:
        """What a screen reader is told of it."""
        return self.panel.locator(".composer [role=status]")

    @property
    def badge(self) -> Locator:
        return self.page.locator("sales-chat .badge")

    @property
    def peek(self) -> Locator:
        return self.page.locator("sales-chat .peek")

    @property
    def handle(self) -> Locator:
        return self.panel.locator(".resize")

    @property
    def title(self) -> Locator:
        return self.panel.locator("h2")

    @property
    def subtitle(self) -> Locator:
        return self.panel.locator("header p")

    @property
    def avatar(self) -> Locator:
        return self.panel.locator(".avatar")

    @property
    def hint(self) -> Locator:
        return self.panel.locator("footer > .hint")

    @property
    def scroller(self) -> Locator:
        return self.panel.locator(".messages")

    @property
    def days(self) -> Locator:
        return self.panel.locator(".day")

    @property
    def times(self) -> Locator:
        """Those that are seen: one for each group."""
        return self.panel.locator(".row[data-first] .time")

    @property
    def typing(self) -> Locator:
        return self.panel.locator(".typing")

    @property
    def sources(self) -> Locator:
        return self.last_reply.locator(".sources")

    @property
    def note(self) -> Locator:
        """Below the last reply: what became of it."""
        return self.last_reply.locator(".note.said")

    @property
    def announced(self) -> Locator:
        """What a screen reader has heard last."""
        return self.panel.locator(":scope > [aria-live]")

    @property
    def why(self) -> Locator:
        return self.last_reply.locator(".why input")

    @property
    def to_the_end(self) -> Locator:
        """The button that floats above the messages."""
        return self.panel.locator(".down")

    def actions(self, row: Locator) -> Locator:
        return row.locator(".actions")

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name)

    def texts(self) -> list[str]:
        """The bubbles, from top to bottom."""
        return self.panel.locator(".row .bubble").all_inner_texts()

    def scrolled(self) -> float:
        """How far, from the top, in pixels."""
        return float(self.scroller.evaluate("element => element.scrollTop"))

    # --- What one does ---

    def scroll_to(self, top: int) -> "Visitor":
        """Scrolls by hand, and waits until the page has heard of it."""
        self.scroller.evaluate(
            """(element, top) => new Promise((heard) => {
                element.addEventListener("scroll", heard, { once: true });
                element.scrollTo(0, top);
            })""",
            top,
        )
        return self

    def visit(self, url: str) -> "Visitor":
        self.page.goto(url)
        return self

    def open_chat(self) -> "Visitor":
        self.launcher.click()
        expect(self.panel).to_be_visible()
        self.panel.evaluate("it => Promise.all(it.getAnimations().map(({ finished }) => finished))")
        return self

    def close_chat(self) -> "Visitor":
        self.button("Close chat").click()
        expect(self.panel).to_be_hidden()
        return self

    def answered_while_closed(self) -> "Visitor":
        """Says something, closes the chat at once, and gets sixty words so."""
        self.say("/words 60 40").close_chat()
        expect(self.badge).to_have_text("1")
        return self

    def say(self, text: str) -> "Visitor":
        said(text)
        self.field.fill(text)
        self.field.press("Enter")
        return self

    def ask(self, text: str) -> "Visitor":
        """Says it and waits for the whole answer."""
        asked = self.questions.count()
        self.say(text)
        expect(self.questions).to_have_count(asked + 1)
        answer = self.panel.locator('.row[data-role="visitor"] + .row[data-role="agent"]')
        expect(answer).to_have_count(asked + 1)
        expect(answer.last).not_to_have_attribute("data-state", "streaming")
        return self

    def sees_picture(self, name: str) -> "Visitor":
        """The landing page's picture of the chat is this file: `chat` moves, `chat-still` not."""
        shown = "name => document.querySelector('[data-stage] img').currentSrc.includes(name)"
        self.page.wait_for_function(shown, arg=f"/{name}.")
        return self

    def pastes(self, text: str, html: str = "") -> "Visitor":
        """Into the field, with the formatted form that other programs put beside the text."""
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page.evaluate(PUT_ON_CLIPBOARD, [text, html or text])
        self.field.press("Control+v")
        return self

    def composes(self, text: str) -> CDPSession:
        """Begins a word with an input method; what it sends next goes by the session."""
        self.field.focus()
        input_method = self.page.context.new_cdp_session(self.page)
        at = {"selectionStart": len(text), "selectionEnd": len(text)}
        input_method.send("Input.imeSetComposition", {"text": text, **at})
        return input_method

    def drags_file(self, target: Locator) -> bool:
        """Drops a file there; whether the page keeps the browser from opening it."""
        return bool(target.evaluate(DROP_FILE))

    def sees_reply(self, text: str, state: str = "complete") -> "Visitor":
        """The last reply has come to this end, with just these words."""
        expect(self.last_reply).to_have_attribute("data-state", state)
        expect(self.last_reply.locator(".bubble")).to_have_text(text)
        return self


PUT_ON_CLIPBOARD = """([text, html]) => {
    const kinds = { "text/plain": text, "text/html": html };
    const blobs = Object.entries(kinds).map(([type, words]) => [type, new Blob([words], { type })]);
    return navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
}"""

DROP_FILE = """it => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["x"], "x.pdf"));
    return ["dragover", "drop"].every((kind) => !it.dispatchEvent(
        new DragEvent(kind, { dataTransfer, bubbles: true, composed: true, cancelable: true })));
}"""


def words(count: int) -> str:
    """What the scripted backend answers to `/words COUNT ...`."""
    return " ".join(f"w{number}" for number in range(1, count + 1))
