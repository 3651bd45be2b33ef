"""What a visitor does and sees, in words: the tests say these, and only here stand selectors."""

import json

from playwright.sync_api import ConsoleMessage, Locator, Page, WebSocket, expect

expect.set_options(timeout=20_000)


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

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name)

    def texts(self) -> list[str]:
        """The bubbles, from top to bottom."""
        return self.panel.locator(".row .bubble").all_inner_texts()

    # --- What one does ---

    def visit(self, url: str) -> "Visitor":
        self.page.goto(url)
        return self

    def open_chat(self) -> "Visitor":
        self.launcher.click()
        expect(self.panel).to_be_visible()
        self.panel.evaluate("it => Promise.all(it.getAnimations().map(({ finished }) => finished))")
        return self

    def say(self, text: str) -> "Visitor":
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

    def sees_reply(self, text: str, state: str = "complete") -> "Visitor":
        """The last reply has come to this end, with just these words."""
        expect(self.last_reply).to_have_attribute("data-state", state)
        expect(self.last_reply.locator(".bubble")).to_have_text(text)
        return self


def words(count: int) -> str:
    """What the scripted backend answers to `/words COUNT ...`."""
    return " ".join(f"w{number}" for number in range(1, count + 1))
