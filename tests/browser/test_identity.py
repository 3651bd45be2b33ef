"""Who is signed in on the customer's page: from its tag to the server, in Chromium."""

import json
import uuid

from playwright.sync_api import expect

from chat.identity import sign
from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.words import Visitor
from tests.servers import manage

KEY_OF_DEMO = "from chat.models import Site; print(Site.objects.get(key='demo').identity_key)"


def signed(shop: Shop, id: str, name: str = "") -> dict[str, str]:
    """What the website's server makes for somebody who is signed in there."""
    key = manage("shell", "--verbosity", "0", "--command", KEY_OF_DEMO, env=shop.server.env).strip()
    return {"id": id, "name": name, "hash": sign(key, id, "", name)}


def somebody() -> str:
    return f"customer-{uuid.uuid4()}"


def tells(shop: Shop, who: dict[str, str] | None, more: str = "") -> Shop:
    """The page says who is signed in, before the chat's tag as its guide has it."""
    call = f"(window.SalesChat ||= []).push(['identify', {json.dumps(who)}]{more})"
    return shop.sells(f"<h1>Shop</h1><script>{call}</script>")


def inits(one: Visitor) -> list[dict[str, object]]:
    """What the chat was opened with, each time, from now on."""
    asked: list[dict[str, object]] = []

    def note(request: object) -> None:
        if request.url.endswith("/api/chat/init") and request.method == "POST":  # type: ignore[attr-defined]
            asked.append(request.post_data_json)  # type: ignore[attr-defined]

    one.page.on("request", note)
    return asked


def test_one_visitor_on_two_devices(visitor: MakeVisitor, shop: Shop) -> None:
    ada = signed(shop, somebody(), "Ada")
    laptop = visitor().visit(tells(shop, ada).url).open_chat().ask("/say On the laptop.")
    phone = visitor().visit(shop.url).open_chat()
    phone.sees_reply("On the laptop.")
    phone.ask("/say And on the phone.")
    laptop.sees_reply("And on the phone.")


def test_who_it_is_is_known_when_the_chat_is_opened(visitor: MakeVisitor, shop: Shop) -> None:
    """Also where something else in the line opens it: it is not opened twice."""
    ada = signed(shop, somebody(), "Ada")
    one = visitor()
    asked = inits(one)
    one.visit(tells(shop, ada, ", ['open']").url)
    expect(one.panel).to_be_visible()
    one.ask("Hello")
    assert [body.get("identity") for body in asked] == [ada]


def test_who_signs_out_leaves_nothing_to_the_next(visitor: MakeVisitor, shop: Shop) -> None:
    ada = signed(shop, somebody())
    one = visitor().visit(tells(shop, ada).url).open_chat().ask("/say A secret.")
    one.visit(tells(shop, None).url)  # where it is open, as it was left
    expect(one.rows).to_have_count(1)
    expect(one.panel).not_to_contain_text("A secret.")
    one.visit(tells(shop, ada).url).sees_reply("A secret.")


def test_a_wrong_signature_makes_nobody_of_the_visitor(visitor: MakeVisitor, shop: Shop) -> None:
    ada = signed(shop, somebody())
    visitor().visit(tells(shop, ada).url).open_chat().ask("/say A secret.")
    forged = {**ada, "hash": "0" * 64}
    eve = visitor()
    with eve.page.expect_console_message(lambda line: "identity is refused" in line.text):
        eve.visit(tells(shop, forged).url).open_chat()
    eve.ask("/say Only mine.").sees_reply("Only mine.")
    expect(eve.panel).not_to_contain_text("A secret.")
