"""What a member of staff does and sees, in words: only here stand the desk's selectors."""

from typing import Self

from playwright.sync_api import BrowserContext, Locator, Page

from tests.servers import STAFF_PASSWORD, Server


class Staff:
    """Somebody of the staff in front of one tab of the desk."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.server = server
        self.errors: list[str] = []
        self.console: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.console.append(message.text) if message.type == "error" else None,
        )

    def log_in(self, name: str, password: str = STAFF_PASSWORD) -> Self:
        self.page.goto(f"{self.server.url}/admin/login/")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", password)
        self.page.click("[type=submit]")
        self.page.wait_for_url(f"{self.server.url}/admin/")
        return self

    def open(self, conversation: str) -> Self:
        self.page.goto(f"{self.server.url}/admin/chat/conversation/{conversation}/change/")
        return self

    def open_newest(self) -> Self:
        """The conversation that has changed last, from the list."""
        self.page.goto(f"{self.server.url}/admin/chat/conversation/")
        self.page.locator("#result_list a[href*='/change/']").first.click()
        self.page.wait_for_selector("#desk-dock")
        return self

    def open_persona(self) -> Self:
        """The first persona's form, with its workbench."""
        self.page.goto(f"{self.server.url}/admin/chat/persona/")
        self.page.locator("#result_list tbody a").first.click()
        self.page.wait_for_selector("#lint li")
        return self

    def try_out(self, question: str) -> Self:
        """Asks the draft as it stands in the form."""
        self.page.fill("#try-words", question)
        self.page.press("#try-words", "Enter")
        return self

    def say(self, text: str) -> Self:
        self.page.fill("#desk-field", text)
        self.page.press("#desk-field", "Enter")
        return self

    def take_over(self) -> Self:
        self.button("Take over").click()
        return self

    def hand_back(self, brief: str = "") -> Self:
        self.button("Hand back to the agent").click()
        self.page.fill("#desk-brief-text", brief)
        self.page.locator("#desk-brief").get_by_role("button", name="Hand back").click()
        return self

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def lines(self) -> Locator:
        return self.page.locator(".desk-line")

    @property
    def last(self) -> Locator:
        return self.lines.last

    @property
    def speaker(self) -> Locator:
        return self.page.locator("#desk-speaker")

    @property
    def notice(self) -> Locator:
        return self.page.locator("#desk-notice")

    @property
    def typing(self) -> Locator:
        return self.page.locator("#desk-typing")

    @property
    def tried(self) -> Locator:
        """What the draft has answered last."""
        return self.page.locator("#try-lines [data-role=agent]").last
