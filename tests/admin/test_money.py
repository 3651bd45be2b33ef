"""What staff see of money, what they state, and the brake."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from chat import budgets, paid
from chat.budgets import Payer
from chat.llm import Usage, prices
from chat.models import Brake, ModelPrice, Site
from tests.admin.desk import page, queries
from tests.admin.test_editing import save_site
from tests.base import make_site

pytestmark = pytest.mark.django_db(transaction=True)
BRAKE = "admin:chat_spend_brake"
MILLION = Usage(1_000_000, 0)


@pytest.fixture(autouse=True)
def _as_at_the_start() -> Any:
    yield
    paid._standing = paid.Standing()
    prices.state({})
    budgets._noted.clear()


def spend(site: Site, dollars: str, cap: str = "1") -> None:
    payer = Payer(site.pk, Decimal(cap), uuid.uuid4(), "net")
    budgets.settle(budgets.reserve(payer, Decimal(dollars)), Decimal(dollars))


def test_spending_stands_against_its_budget(staff: Client, site: Site) -> None:
    spend(site, "0.25")
    spend(make_site("other", name="Other & Co"), "0.30", "0.3")
    text = page(staff, "chat_spend_changelist")
    for shown in ("Acme Desks", "$0.25", "$1.00", "25 %", "Other &amp; Co", "100 %"):
        assert shown in text
    for shown in ("all sites together", "$0.55", "$100.00"):
        assert shown in text
    assert text.index("$100.00") < text.index("Acme Desks")


def test_visitors_and_addresses_are_not_listed(staff: Client, site: Site) -> None:
    spend(site, "0.25")
    text = page(staff, "chat_spend_changelist")
    assert text.count("$0.25") == 2  # the site, and all together


def test_many_sites_need_no_more_queries(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    spend(site, "0.1")
    few = queries(staff, django_assert_max_num_queries(30), "chat_spend_changelist")
    for n in range(5):
        spend(make_site(f"site-{n}"), "0.1")
    assert queries(staff, django_assert_max_num_queries(30), "chat_spend_changelist") == few


def test_nobody_changes_what_was_spent(root: Client, site: Site) -> None:
    spend(site, "0.25")
    assert root.get(reverse("admin:chat_spend_add")).status_code == 403
    assert root.post(reverse("admin:chat_spend_changelist"), {"action": "delete_selected"})
    assert len(set(budgets.Spend.objects.all())) == 4


# --- The brake ----------------------------------------------------------------------------------


def test_one_click_stops_all_paid_calls_and_says_who_did(root: Client, site: Site) -> None:
    assert "Stop all paid calls" in page(root, "chat_spend_changelist")
    text = root.post(reverse(BRAKE), {"stop": ""}, follow=True).content.decode()
    assert "Nothing is paid for now." in text
    assert "All paid calls are stopped" in text
    assert "By root, Today" in text
    assert paid.limited("any")  # this process knows already
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.change_message) == ("root", "Paid calls stopped")
    text = root.post(reverse(BRAKE), {"allow": ""}, follow=True).content.decode()
    assert "Models are asked again" in text
    assert not paid.limited("any")
    assert LogEntry.objects.count() == 2


def test_a_second_click_changes_and_logs_nothing(root: Client) -> None:
    for _ in range(2):
        root.post(reverse(BRAKE), {"stop": ""})
    assert LogEntry.objects.count() == 1


def test_the_brake_needs_the_right_a_post_and_a_token(staff: Client, vera: User) -> None:
    assert "Stop all paid calls" not in page(staff, "chat_spend_changelist")
    assert staff.post(reverse(BRAKE), {"stop": ""}).status_code == 403
    assert Client().post(reverse(BRAKE), {"stop": ""}).status_code == 302
    vera.user_permissions.add(Permission.objects.get(codename="stop_paid_calls"))
    client = Client(enforce_csrf_checks=True)
    client.force_login(vera)
    assert client.get(reverse(BRAKE)).status_code == 405
    assert client.post(reverse(BRAKE), {"stop": ""}).status_code == 403
    assert not Brake.objects.filter(stopped=True).exists()
    assert staff.post(reverse(BRAKE), {"stop": ""}).status_code == 302
    assert Brake.objects.get().by == "vera"


# --- Prices -------------------------------------------------------------------------------------


def state(client: Client, **fields: str) -> str:
    form = {"model": "my-model", "input": "1", "cached": "0.1", "output": "4", **fields}
    path = reverse("admin:chat_modelprice_add")
    return client.post(path, form, follow=True).content.decode()


def test_a_price_that_staff_state_counts_at_once(root: Client) -> None:
    assert prices.cost(MILLION, "my-model") == 5
    state(root)
    assert prices.cost(MILLION, "my-model") == 1
    assert ">0.1<" in page(root, "chat_modelprice_changelist")
    row = ModelPrice.objects.get()
    root.post(reverse("admin:chat_modelprice_delete", args=[row.pk]), {"post": "yes"})
    assert prices.cost(MILLION, "my-model") == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": "-1"},
        {"output": "nan"},
        {"output": "Infinity"},
        {"cached": ""},
        {"input": "10000000"},
        {"model": "two words"},
        {"model": ""},
    ],
)
def test_a_price_that_makes_no_sense_is_refused(root: Client, wrong: dict[str, str]) -> None:
    state(root, **wrong)
    assert not ModelPrice.objects.exists()


def test_the_prices_that_hold_otherwise_are_shown(staff: Client, settings: Any) -> None:
    settings.CHAT_PRICES = '{"my-own": [0.25, 0, 0]}'
    text = page(staff, "chat_modelprice_changelist")
    for shown in ("gpt-6-luna", "my-own", "0.25", "every model that stands nowhere"):
        assert shown in text


def test_sales_staff_read_prices_and_change_none(staff: Client) -> None:
    assert staff.get(reverse("admin:chat_modelprice_add")).status_code == 403


# --- A site's budget ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"), [("12.50", Decimal("12.50")), ("0", 0), ("", None), ("-1", None)]
)
def test_a_site_may_have_a_budget_of_its_own(
    root: Client, site: Site, typed: str, kept: Decimal | None
) -> None:
    save_site(root, site, daily_budget=typed)
    assert site.daily_budget == kept
