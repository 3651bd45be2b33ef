"""The second step of staff's login, where the deployment wants one (`STAFF_TWO_FACTOR`).

A password alone opens a session that sees nothing but the page where a code is asked for, or where
the app that makes codes is set up. What that page does stands in `chat/admin/twofactor.py`.
"""

from math import ceil
from typing import Any

import django_otp
import segno
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import MiddlewareNotUsed
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware
from django.utils.http import urlencode
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

CODES = 10  # for the day the phone is gone; each opens once
PAGE = "admin:chat_staffprofile_twofactor"
OPEN = (PAGE, "admin:login", "admin:logout", "admin:jsi18n")  # to whoever has shown no code yet


def wanted() -> bool:
    return settings.STAFF_TWO_FACTOR != "off"


def phone(user: Any) -> TOTPDevice | None:
    """The app that makes their codes, once a first code of it was right."""
    return TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).first()


def held_up(user: Any, session: Any) -> bool:
    """Whether whoever holds this session has yet to show a code."""
    if not wanted() or has_shown(user, session):
        return False
    return settings.STAFF_TWO_FACTOR == "required" or phone(user) is not None


def has_shown(user: Any, session: Any) -> bool:
    """A right code, of a device that is still theirs."""
    named = session.get(django_otp.DEVICE_ID_SESSION_KEY)
    device = Device.from_persistent_id(named) if named else None
    return device is not None and device.user_id == user.pk and device.confirmed


@sync_and_async_middleware
def middleware(get_response: Any) -> Any:
    """Leads to the page of the second step; what is no page of the admin is not looked at."""
    if not wanted():
        raise MiddlewareNotUsed
    if not iscoroutinefunction(get_response):
        return lambda request: _elsewhere(request) or get_response(request)

    async def led(request: HttpRequest) -> Any:
        if not _in_admin(request):
            return await get_response(request)
        return await sync_to_async(_elsewhere)(request) or await get_response(request)

    return led


def _in_admin(request: HttpRequest) -> bool:
    return request.path_info.startswith(reverse("admin:index"))


def _elsewhere(request: HttpRequest) -> HttpResponseRedirect | None:
    if not _in_admin(request) or request.path_info in map(reverse, OPEN):
        return None
    user = request.user
    if not user.is_authenticated or not held_up(user, request.session):
        return None
    wish = {"next": request.get_full_path()} if request.method == "GET" else {}
    return HttpResponseRedirect(f"{reverse(PAGE)}?{urlencode(wish)}".rstrip("?"))


# --- Codes --------------------------------------------------------------------------------------


def new_phone(user: Any) -> TOTPDevice:
    """One whose secret waits to be scanned; it counts for nothing before its first code."""
    waits = TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).first()
    return waits or TOTPDevice.objects.create(user_id=user.pk, name="app", confirmed=False)


def picture(device: TOTPDevice) -> str:
    """Its address as a QR code, in an address that holds the picture."""
    code = segno.make(device.config_url, error="m", micro=False)
    return str(code.svg_data_uri(scale=5, border=4, dark="#000", light="#fff"))


def show(request: HttpRequest, device: Device | None, code: str) -> bool:
    """Whether the code is right; then the session may see the desk. Each is taken once."""
    if device is None:
        return False
    right = django_otp.verify_token(request.user, device.persistent_id, code)
    if right is None:
        return False
    request.session.cycle_key()  # who knew the key of before knows nothing
    django_otp.login(request, right)
    return True


def device_for(user: Any, code: str) -> Device | None:
    """Which of theirs a code is of: six digits are the app's, all else is a recovery code."""
    if len(code) == 6 and code.isdecimal():
        return phone(user)
    return StaticDevice.objects.filter(user_id=user.pk, confirmed=True).first()


def wait(device: Device | None) -> int:
    """Seconds until it looks at a code again, after some that were wrong."""
    allowed, why = device.verify_is_allowed() if device else (True, None)
    if allowed or not why:
        return 0
    return max(1, ceil((why["locked_until"] - timezone.now()).total_seconds()))


@transaction.atomic
def new_codes(user: Any) -> list[str]:
    """Recovery codes, in place of those there were."""
    device, _made = StaticDevice.objects.get_or_create(user_id=user.pk, name="recovery")
    device.token_set.all().delete()
    codes = [StaticToken.random_token() for _ in range(CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=device, token=code) for code in codes])
    return codes


@transaction.atomic
def forget(user: User) -> None:
    """As if they had never set it up: for whoever has lost phone and codes."""
    for kind in (TOTPDevice, StaticDevice):
        kind.objects.filter(user=user).delete()
