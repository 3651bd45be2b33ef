"""The staff side is behind login, rights, CSRF and origin: every page, for everybody.

The pages come from the admin's URLs. What sales staff may open stands in `SALES`: a page that is
new there fails until it is listed.
"""

import re
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from chat.models import (
    CannedReply,
    Delivery,
    Lead,
    ModelPrice,
    Site,
    Spend,
    StaffProfile,
    Webhook,
)
from knowledge.models import Entry
from tests.admin.addresses import MODELS, addresses
from tests.admin.desk import talk
from voice.models import Clip, CustomVoice

pytestmark = pytest.mark.django_db

FOR_ALL = {"login/"}  # the door itself
# What a person of the group "Sales staff" can open, beside pages that send them elsewhere.
SALES = {
    "",
    "search/",
    "jsi18n/",
    "password_change/",
    "password_change/done/",
    "^(?P<app_label>knowledge|chat|voice|auth)/$",
    "voice/clip/",
    "voice/clip/catalogue/",
    "voice/clip/<path:object_id>/change/",
    "voice/clip/<path:object_id>/history/",
    "chat/conversation/health/",
    "chat/persona/open-questions/",
    "chat/persona/gathered/",
    "chat/persona/<int:persona_id>/compare/",
    "chat/persona/<int:persona_id>/questions/",
    "knowledge/entry/try/",
    "knowledge/entry/import/",
    *(
        f"{app}/{model}/{page}"
        for app, model, pages in (
            (
                "chat",
                "conversation",
                (
                    "",
                    "<path:object_id>/change/",
                    "<path:object_id>/history/",
                    "<path:object_id>/lines/<int:seq>/",
                ),
            ),
            (
                "chat",
                "cannedreply",
                ("", "add/", "<path:object_id>/change/", "<path:object_id>/history/"),
            ),
            ("chat", "visitor", ("", "<path:object_id>/change/", "<path:object_id>/history/")),
            ("chat", "lead", ("", "<path:object_id>/change/", "<path:object_id>/history/")),
            ("chat", "spend", ("", "<path:object_id>/change/", "<path:object_id>/history/")),
            ("chat", "modelprice", ("", "<path:object_id>/change/", "<path:object_id>/history/")),
            ("chat", "site", ("", "<path:object_id>/change/", "<path:object_id>/history/")),
            (
                "chat",
                "persona",
                ("", "add/", "<path:object_id>/change/", "<path:object_id>/history/"),
            ),
            (
                "chat",
                "personaversion",
                ("", "<path:object_id>/change/", "<path:object_id>/history/"),
            ),
            (
                "knowledge",
                "entry",
                ("", "add/", "<path:object_id>/change/", "<path:object_id>/history/"),
            ),
            (
                "knowledge",
                "collection",
                ("", "add/", "<path:object_id>/change/", "<path:object_id>/history/"),
            ),
        )
        for page in pages
    ),
}


@pytest.fixture
def pages(site: Site) -> dict[str, str]:
    """Every route of the admin with an address; there is a row of each kind."""
    row = talk(site, "hello")
    lead = Lead.objects.create(conversation=row, site=site, name="Ada")
    hook = Webhook.objects.create(site=site, url="https://crm.acme.example/")
    Delivery.objects.create(webhook=hook, lead=lead, event="lead.created")
    Entry.objects.create(collection=site.collection, title="Prices", text="Free")
    User.objects.create_user("somebody")
    Spend.objects.create(day=date(2026, 1, 1), scope=Spend.Scope.WHOLE)
    ModelPrice.objects.create(model="some-model", input=1, cached=1, output=1)
    Clip.objects.create(key="0123456789abcdef" * 4, format="mp3", characters=1, size=1)
    CustomVoice.objects.create(voice_id="voice_1", name="Ada", speaker="Ada")
    StaffProfile.objects.create(user=User.objects.get(username="somebody"))
    CannedReply.objects.create(title="Hello", text="Hello {visitor}")
    rows = {label: apps.get_model(label).objects.first().pk for label in MODELS}
    return addresses(rows)


def behind_login(response: Any) -> bool:
    return response.status_code == 302 and response["Location"].startswith("/admin/login/")


def test_the_walk_sees_the_admin(pages: dict[str, str]) -> None:
    assert len(pages) > 60
    assert all("<" not in path and "(" not in path for path in pages.values())
    assert set(pages) >= SALES


def test_nobody_reads_or_posts_without_a_login(client: Client, pages: dict[str, str]) -> None:
    visitor = Client(headers={"Authorization": "Bearer x"})
    customer = Client()
    customer.force_login(User.objects.create_user("customer"))
    gone = Client()
    gone.force_login(User.objects.create_user("gone", is_staff=True))
    User.objects.filter(username="gone").update(is_active=False)
    for who in (client, visitor, customer, gone):
        for route, path in pages.items():
            for response in (who.get(path), who.post(path, {"a": "b"})):
                if route in FOR_ALL:
                    assert response.status_code in (200, 302)
                elif route == "logout/":
                    assert response["Location"] in ("/admin/", "/admin/login/?next=/admin/logout/")
                else:
                    assert behind_login(response), (path, response.status_code)


def test_sales_staff_open_what_is_theirs_and_nothing_else(
    staff: Client, pages: dict[str, str]
) -> None:
    opened = {route for route, path in pages.items() if staff.get(path).status_code == 200}
    assert opened - {"logout/"} == SALES


def test_staff_without_a_group_open_nothing_with_a_row_in_it(pages: dict[str, str]) -> None:
    temp = Client()
    temp.force_login(User.objects.create_user("temp", is_staff=True))
    opened = {route for route, path in pages.items() if temp.get(path).status_code == 200}
    assert opened <= {"", "search/", "jsi18n/", "password_change/", "password_change/done/"}


def test_sales_staff_change_nothing_that_is_not_theirs(
    staff: Client, pages: dict[str, str]
) -> None:
    """Whatever they post there."""
    before = [list(apps.get_model(label).objects.values()) for label in MODELS]
    for route, path in pages.items():
        if route not in SALES and not re.search("close|note|publish|mine", route):
            staff.post(path, {"post": "yes", "name": "x", "username": "x"})
    assert [list(apps.get_model(label).objects.values()) for label in MODELS] == before


@pytest.mark.parametrize(
    ("token", "origin"),
    [
        (False, ""),
        (True, "http://evil.example"),
        (True, "https://testserver"),  # another scheme
        (True, "http://testserver:8000"),
        (True, "http://testserver.evil.example"),
        (True, "null"),
    ],
)
def test_a_post_needs_the_token_and_our_exact_origin(
    pages: dict[str, str], token: bool, origin: str
) -> None:
    root = Client(enforce_csrf_checks=True)
    root.force_login(User.objects.create_superuser("root"))
    form = root.get("/admin/password_change/")
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.content.decode())
    assert found
    data = {"post": "yes", **({"csrfmiddlewaretoken": found[1]} if token else {})}
    headers = {"Origin": origin} if origin else {}
    before = [apps.get_model(label).objects.count() for label in MODELS]
    for route, path in pages.items():
        if route.endswith("(?P<url>.*)$"):
            continue
        assert root.post(path, data, headers=headers).status_code == 403, path
    assert [apps.get_model(label).objects.count() for label in MODELS] == before


@pytest.mark.parametrize("path", ["/admin/login/?next=", "/i18n/setlang/?next="])
@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere(client: Client, path: str, target: str) -> None:
    User.objects.create_superuser("root", password="open-sesame")
    form = {"username": "root", "password": "open-sesame", "language": "de", "next": target}
    response = client.post(path + target, form)
    assert response.status_code == 302
    assert "evil" not in response["Location"]
    assert "javascript" not in response["Location"]


# --- Guessing a password ------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def tries(settings: Settings) -> None:
    cache.clear()
    settings.CHAT_LOGIN_TRIES = 4


@pytest.fixture
def moved_clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Times of the login's counts; `moved_clock(600)` is ten minutes later."""
    now = [1_800_000_000.0]
    monkeypatch.setattr("chat.logins.time.time", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def tried(password: str, address: str = "203.0.113.7", username: str = "root") -> Any:
    form = {"username": username, "password": password}
    return Client(REMOTE_ADDR=address).post("/admin/login/", form)


def held_up(response: Any) -> bool:
    return "Too many failed logins. Please try again in" in response.content.decode()


@pytest.fixture
def account() -> User:
    return User.objects.create_superuser("root", password="open-sesame")


def test_who_guesses_is_held_up_in_words(account: User, moved_clock: Any) -> None:
    assert not any(held_up(tried("guess")) for _ in range(4))
    response = tried("guess")
    assert held_up(response)
    assert "in 10 minutes" in response.content.decode()
    assert held_up(tried("open-sesame"))  # also with the right one: or the answer would tell it
    moved_clock(590)
    assert "in 1 minute." in tried("guess").content.decode()
    moved_clock(11)
    assert tried("open-sesame").status_code == 302


def test_many_addresses_together_get_no_more_tries(account: User, moved_clock: Any) -> None:
    answers = [tried("guess", f"198.51.100.{n}") for n in range(30)]
    assert sum(not held_up(answer) for answer in answers) == 4
    answers = [tried("guess", f"2001:db8::{n}", "nobody") for n in range(30)]  # one /64, no account
    assert sum(not held_up(answer) for answer in answers) == 4


def test_one_address_gets_no_more_by_trying_many_accounts(moved_clock: Any) -> None:
    answers = [tried("guess", username=f"user{n}") for n in range(30)]
    assert sum(not held_up(answer) for answer in answers) == 12


def test_a_stranger_locks_nobody_out_where_they_usually_sit(
    account: User, moved_clock: Any
) -> None:
    assert tried("open-sesame", "192.0.2.1").status_code == 302
    for n in range(40):
        tried("guess", f"198.51.100.{n}")
    assert held_up(tried("open-sesame", "198.51.100.99"))
    assert tried("open-sesame", "192.0.2.1").status_code == 302


def test_right_passwords_are_no_guesses(account: User, moved_clock: Any) -> None:
    for n in range(30):
        assert tried("open-sesame").status_code == 302
        assert tried("open-sesame", f"198.51.100.{n}").status_code == 302


def test_an_address_that_is_known_may_not_guess_for_ever_either(
    account: User, moved_clock: Any
) -> None:
    assert tried("open-sesame").status_code == 302
    assert sum(not held_up(tried("guess")) for _ in range(20)) == 4


def test_without_redis_each_process_counts_alone(
    account: User, settings: Settings, moved_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:9",  # nobody listens there
        }
    }
    assert sum(not held_up(tried("guess")) for _ in range(8)) == 4
    assert "logins counted alone" in caplog.text
    assert "203.0.113.7" not in caplog.text
    assert "root" not in caplog.text


def test_the_group_of_staff_is_no_superuser() -> None:
    assert not Group.objects.get(name="Sales staff").permissions.filter(
        content_type__app_label__in=["auth", "sessions", "admin"]
    )
