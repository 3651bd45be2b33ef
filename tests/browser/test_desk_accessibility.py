"""For everyone at the desk: no page of it breaks a rule that a program can check, for any group.

The pages come from the admin's URLs, as in tests/admin/test_doors.py: a new one is tried by itself.
"""

import json

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.admin.addresses import MODELS, addresses
from tests.browser.conftest import MakeStaff, MakeVisitor
from tests.browser.desk import Staff
from tests.browser.test_accessibility import violations
from tests.conftest import MakeStack
from tests.servers import STAFF_PASSWORD, Server, Stack

GROUPS = {"vera": "Sales staff", "lena": "Sales lead", "ada": "Administrator"}
SCHEMES = ("light", "dark")
# A row of everything that has a page, and a talk with all that a transcript shows.
FILL = f"""
import json
from datetime import date
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.utils import timezone
from chat import personas
from chat.models import *
from voice.models import Clip, CustomVoice
for name, group in {GROUPS!r}.items():
    user = User.objects.create_user(name, "", {STAFF_PASSWORD!r}, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
site, persona, lead = Site.objects.get(), Persona.objects.get(), Lead.objects.first()
talk = lead.conversation
waiting = Conversation.objects.exclude(pk=talk.pk).first()
Conversation.objects.filter(pk=waiting.pk).update(waiting_since=timezone.now())
said = talk.messages.filter(role="agent")
said.update(
    feedback=-1, feedback_comment="Too long", sources=[{{"title": "Prices", "url": "https://a.example/"}}],
    tools=[{{"name": "save_lead"}}], first_word_ms=400, duration_ms=2000, input_tokens=900,
    output_tokens=80, cost="0.0004", backend="completions", model="a-model",
    persona_version=persona.published,
)
Message.objects.filter(pk=said.last().pk).update(state="failed", error_code="try_again")
hook = Webhook.objects.create(site=site, url="https://crm.acme.example/")
Delivery.objects.create(webhook=hook, lead=lead, event="lead.created")
Spend.objects.create(day=date.today(), scope=Spend.Scope.WHOLE, spent=9, cap=10)
ModelPrice.objects.create(model="some-model", input=1, cached=1, output=1)
Clip.objects.create(key="0123456789abcdef" * 4, format="mp3", characters=1, size=1)
CustomVoice.objects.create(voice_id="voice_1", name="Ada", speaker="Ada")
StaffProfile.objects.create(user=user)
CannedReply.objects.create(title="Hello", text="Hello {{visitor}}")
Note.objects.create(conversation=talk, author=user, text="A good one.")
Tag.objects.create(conversation=talk, name="fleet")
personas.save_version(persona, author=user, note="", agent_name="Hal", instructions="Be brief.")
rows = {{label: apps.get_model(label).objects.first() for label in {MODELS!r}}}
rows["chat.conversation"] = talk
print(json.dumps({{label: str(row.pk) for label, row in rows.items()}}))
"""
# With what stands behind `?`, since the page alone is empty.
QUERIES = {
    "chat/persona/<int:persona_id>/compare/": "?old=1&new=2",
    "knowledge/entry/try/": "?q=price",
    "chat/conversation/": "?q=bike&state__exact=open",
}


# What is wrong with others' parts, by rule and what stands in the markup.
KNOWN = (
    # Django's chooser of many: a label on the icon of its search, which the field says as well.
    ("aria-prohibited-attr", "help-tooltip"),
)
# As the switch of the theme does it; then nothing fades any more.
WEAR = """scheme => {
    document.documentElement.classList.toggle("dark", scheme === "dark");
    const fading = document.getAnimations().filter((it) => it.effect.getTiming().iterations === 1);
    return Promise.allSettled(fading.map((it) => it.finished));
}"""


@pytest.fixture(scope="module")
def filled(session_stack: MakeStack) -> tuple[Stack, dict[str, str]]:
    made = session_stack()
    rows = json.loads(made.manage("shell", "-v0", "-c", FILL).strip().splitlines()[-1])
    found = {route: path + QUERIES.get(route, "") for route, path in addresses(rows).items()}
    return made, found


@pytest.fixture
def desk(filled: tuple[Stack, dict[str, str]]) -> Server:
    return filled[0].server


def breaks(one: Staff) -> dict[str, list[str]]:
    """What is wrong with the page as it stands; in the dark its colours are other ones."""
    found = {}
    for scheme in SCHEMES:
        one.page.evaluate(WEAR, scheme)
        found[scheme] = of_ours(violations(one, whole=True, sight=scheme == "dark"))
    return {scheme: wrong for scheme, wrong in found.items() if wrong}


def of_ours(wrong: list[str]) -> list[str]:
    return [
        line for line in wrong if not any(rule in line and part in line for rule, part in KNOWN)
    ]


def is_page(response: Response | None) -> bool:
    """And not a file, a redirect or a fragment that a page fetches."""
    return (
        response is not None
        and response.status == 200
        and response.headers["content-type"].startswith("text/html")
        and "<html" in response.text()
    )


# --- Pages ---


@pytest.mark.timeout(600)  # some hundred pages, each looked at twice
@pytest.mark.parametrize("name", GROUPS)
def test_no_page_breaks_a_rule(
    staff: MakeStaff, filled: tuple[Stack, dict[str, str]], name: str
) -> None:
    one = staff(name)
    wrong, opened = {}, 0
    for route, path in filled[1].items():
        if route == "logout/" or one.page.request.get(one.server.url + path).status != 200:
            continue
        if not is_page(one.page.goto(one.server.url + path)):
            continue
        opened += 1
        if found := breaks(one):
            wrong[route] = found
    assert wrong == {}
    assert opened > 40


# --- What becomes of them ---


def test_the_login_breaks_no_rule(browser: Browser, desk: Server) -> None:
    context = browser.new_context()
    one = Staff(context, desk)
    one.page.goto(f"{desk.url}/admin/login/")
    assert breaks(one) == {}
    one.page.fill("[name=username]", "nobody")
    one.page.fill("[name=password]", "wrong")
    one.page.click("[type=submit]")
    expect(one.page.get_by_text("Please enter the correct username")).to_be_visible()
    assert breaks(one) == {}
    context.close()


def test_a_talk_that_is_taken_over_breaks_no_rule(
    staff: MakeStaff, visitor: MakeVisitor, desk: Server
) -> None:
    mira = visitor().visit(desk.url).open_chat().ask("/offer Yes, please | No")
    one = staff("vera").open_newest()
    one.take_over()
    mira.field.press_sequentially("Is that")
    expect(one.typing).to_have_text("The visitor is typing …")
    mira.say("Is that a person?")
    one.say("Yes.")
    expect(one.last).to_contain_text("Yes.")
    assert breaks(one) == {}
    one.page.context.set_offline(True)
    one.say("Is there a line?")
    expect(one.last).to_have_attribute("data-state", "unsent")
    assert breaks(one) == {}
    one.page.context.set_offline(False)
    expect(one.last).not_to_have_attribute("data-state", "unsent")
    one.button("Hand back to the agent").click()
    expect(one.page.locator("#desk-brief")).to_be_visible()
    assert breaks(one) == {}


def test_a_draft_that_is_tried_out_breaks_no_rule(staff: MakeStaff) -> None:
    one = staff("vera").open_persona().try_out("/words 5 1")
    expect(one.tried).to_contain_text("ms")
    one.button("The newest").click()
    expect(one.page.locator(".desk-again").first).to_be_visible()
    assert breaks(one) == {}
