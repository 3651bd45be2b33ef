"""The second step of staff's login: off it changes nothing, required it lets nobody past."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import MiddlewareNotUsed
from django.core.management import CommandError, call_command
from django.test import AsyncClient, Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from chat import twofactor
from chat.rights import ADMIN_GROUP
from chat.staff import member
from tests.admin.addresses import addresses

pytestmark = pytest.mark.django_db
HOME = "/admin/"
PAGE = "/admin/chat/staffprofile/two-factor/"


@pytest.fixture
def required(settings: Settings) -> None:
    settings.STAFF_TWO_FACTOR = "required"


@pytest.fixture
def optional(settings: Settings) -> None:
    settings.STAFF_TWO_FACTOR = "optional"


@pytest.fixture
def client(vera: User) -> Client:
    """Vera, once her password was right."""
    one = Client()
    one.force_login(vera)
    return one


def code(device: TOTPDevice, later: int = 0) -> str:
    """What the app shows, in so many half minutes."""
    shown = TOTP(device.bin_key, device.step, device.t0, device.digits)
    shown.time = shown.time + later * device.step
    return f"{shown.token():06}"


def set_up(client: Client, user: User) -> list[str]:
    """By the first code of the app; the recovery codes."""
    client.get(PAGE)
    device = TOTPDevice.objects.get(user=user)
    page = client.post(PAGE, {"code": code(device)}).content.decode()
    codes = re.findall(r"<code>(\w+)</code>", page)
    assert len(codes) == 10
    return codes


def again(user: User) -> Client:
    """The same person with their password, at another browser."""
    one = Client()
    one.force_login(user)
    return one


def leads_to_the_step(client: Client, path: str = HOME) -> bool:
    response = client.get(path)
    return response.status_code == 302 and response["Location"].startswith(PAGE)


def test_off_nothing_changes(client: Client) -> None:
    assert client.get(HOME).status_code == 200
    assert client.get(PAGE).status_code == 404
    assert "Two-factor" not in client.get(HOME).content.decode()


def test_off_no_request_passes_it() -> None:
    with pytest.raises(MiddlewareNotUsed):
        twofactor.middleware(lambda request: None)


def test_required_no_page_opens_before_a_code(required: None, client: Client) -> None:
    open_ones = {"login/", "logout/", "jsi18n/", PAGE.removeprefix(HOME)}
    paths = {path for route, path in addresses({}).items() if route not in open_ones}
    paths = {path for path in paths if path != PAGE}
    assert len(paths) > 60
    assert [path for path in sorted(paths) if not leads_to_the_step(client, path)] == []
    assert client.post("/admin/chat/lead/", {"action": "delete_selected"}).status_code == 302


def test_required_the_socket_is_nobodys_before_a_code(
    required: None, client: Client, vera: User
) -> None:
    assert member(client.session.session_key) is None
    set_up(client, vera)
    assert member(client.session.session_key) is not None


def test_the_page_shows_a_picture_that_the_policy_allows(required: None, client: Client) -> None:
    response = client.get(PAGE)
    page = response.content.decode()
    assert 'src="data:image/svg+xml' in page
    assert "img-src 'self' data:" in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    assert "<nav" not in page  # nothing of the desk


def test_set_up_opens_the_desk_and_is_asked_at_each_login(
    required: None, client: Client, vera: User
) -> None:
    set_up(client, vera)
    assert client.get(HOME).status_code == 200
    other = again(vera)
    assert leads_to_the_step(other)
    assert 'src="data:' not in other.get(PAGE).content.decode()  # the secret is not shown again
    device = TOTPDevice.objects.get(user=vera)
    response = other.post(PAGE, {"code": code(device, 1), "next": "/admin/chat/lead/"})
    assert response["Location"] == "/admin/chat/lead/"
    assert other.get(HOME).status_code == 200


def test_a_code_is_taken_once(required: None, client: Client, vera: User) -> None:
    set_up(client, vera)
    device = TOTPDevice.objects.get(user=vera)
    shown = code(device, 1)
    assert again(vera).post(PAGE, {"code": shown}).status_code == 302
    late = again(vera)
    assert late.post(PAGE, {"code": shown}).status_code == 200
    assert leads_to_the_step(late)


def test_wrong_codes_are_slowed(required: None, client: Client, vera: User) -> None:
    set_up(client, vera)
    other = again(vera)
    page = other.post(PAGE, {"code": "000000"}).content.decode()
    assert "The next counts in" in page
    device = TOTPDevice.objects.get(user=vera)
    assert device.throttling_failure_count == 1
    # Even the right one comes too early now.
    assert other.post(PAGE, {"code": code(device, 1)}).status_code == 200
    assert leads_to_the_step(other)


def test_a_recovery_code_opens_once(required: None, client: Client, vera: User) -> None:
    codes = set_up(client, vera)
    assert again(vera).post(PAGE, {"code": f" {codes[0].upper()} "}).status_code == 302
    late = again(vera)
    assert late.post(PAGE, {"code": codes[0]}).status_code == 200
    assert leads_to_the_step(late)
    assert StaticToken.objects.count() == 9


def test_new_recovery_codes_take_the_place_of_the_old(
    required: None, client: Client, vera: User
) -> None:
    old = set_up(client, vera)
    page = client.post(PAGE, {"codes": "new"}).content.decode()
    new = re.findall(r"<code>(\w+)</code>", page)
    assert len(new) == 10
    assert not set(old) & set(new)
    assert set(StaticToken.objects.values_list("token", flat=True)) == set(new)
    # Whoever has only the password gets none.
    assert "<code>" not in again(vera).post(PAGE, {"codes": "new"}).content.decode()


def test_optional_asks_only_who_set_it_up(optional: None, client: Client, vera: User) -> None:
    assert client.get(HOME).status_code == 200
    assert member(client.session.session_key) is not None
    set_up(client, vera)
    assert leads_to_the_step(again(vera))


def test_it_leads_nowhere_else(required: None, client: Client, vera: User) -> None:
    set_up(client, vera)
    device = TOTPDevice.objects.get(user=vera)
    answer = again(vera).post(PAGE, {"code": code(device, 1), "next": "https://evil.example/"})
    assert answer["Location"] == HOME


def test_a_session_still_ends_after_twelve_hours(
    required: None, client: Client, vera: User
) -> None:
    key = client.session.session_key
    set_up(client, vera)
    assert client.session.session_key != key
    assert 0 < client.session.get_expiry_age() <= 12 * 3600


def test_an_administrator_resets_it(required: None, client: Client, vera: User) -> None:
    set_up(client, vera)
    ada = User.objects.create_user("ada", is_staff=True)
    ada.groups.add(Group.objects.get(name=ADMIN_GROUP))
    hers = again(ada)
    set_up(hers, ada)
    users = reverse("admin:auth_user_changelist")
    wish = {"action": "reset_two_factor", "_selected_action": [vera.pk]}
    assert hers.post(users, wish).status_code == 302
    assert not TOTPDevice.objects.filter(user=vera).exists()
    assert leads_to_the_step(client)  # and her open session with it
    # Not of somebody with more rights.
    root = User.objects.create_superuser("root")
    TOTPDevice.objects.create(user=root, name="app")
    assert hers.post(users, wish | {"_selected_action": [root.pk]}).status_code == 403
    assert TOTPDevice.objects.filter(user=root).exists()


def test_sales_staff_do_not_reset(required: None, client: Client, vera: User) -> None:
    set_up(client, vera)
    wish = {"action": "reset_two_factor", "_selected_action": [vera.pk]}
    assert client.post(reverse("admin:auth_user_changelist"), wish).status_code == 403


def test_a_command_resets_it(required: None, client: Client, vera: User) -> None:
    set_up(client, vera)
    call_command("reset_two_factor", "vera")
    assert not TOTPDevice.objects.exists()
    with pytest.raises(CommandError):
        call_command("reset_two_factor", "nobody")


async def test_under_asgi_what_is_no_page_of_the_admin_is_let_through(settings: Settings) -> None:
    settings.STAFF_TWO_FACTOR = "required"
    assert (await AsyncClient().get("/api/nothing-here")).status_code == 404
    assert (await AsyncClient().get(HOME))["Location"].startswith("/admin/login/")
