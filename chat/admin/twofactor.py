"""The page of the second step: where staff show a code, or set up the app that makes codes."""

from base64 import b32encode
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin

from chat import twofactor
from chat.models import StaffProfile

# Their own pages show secrets to whoever may change users; ours are these.
admin.site.unregister(TOTPDevice)
admin.site.unregister(StaticDevice)


class TwoFactor(ModelAdmin):
    """For the desk settings: the second step of whoever is logged in."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.two_factor_view)
        return [path("two-factor/", view, name="chat_staffprofile_twofactor"), *super().get_urls()]

    def two_factor_view(self, request: HttpRequest) -> HttpResponse:
        if not twofactor.wanted():
            raise Http404
        device = twofactor.phone(request.user)
        if device is None:
            return self._set_up(request)
        if not twofactor.has_shown(request.user, request.session):
            return self._ask(request)
        if "codes" in request.POST:
            return self._codes(request)
        return self._page(request, step="done", left=_codes_left(request.user))

    def _set_up(self, request: HttpRequest) -> HttpResponse:
        """A picture to scan; the first right code settles it, and brings the recovery codes."""
        device = twofactor.new_phone(request.user)
        wrong = ""
        if request.method == "POST":
            if twofactor.show(request, device, _code(request)):
                TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
                self._note(request, "Set up two-factor login")
                return self._codes(request)
            wrong = _wrong(device)
        secret = b32encode(device.bin_key).decode()
        groups = [secret[at : at + 4] for at in range(0, len(secret), 4)]
        shown = {"picture": twofactor.picture(device), "secret": " ".join(groups)}
        return self._page(request, step="set up", wrong=wrong, **shown)

    def _ask(self, request: HttpRequest) -> HttpResponse:
        wrong = ""
        if request.method == "POST":
            code = _code(request)
            device = twofactor.device_for(request.user, code)
            if twofactor.show(request, device, code):
                if isinstance(device, StaticDevice):
                    self._note(request, "Logged in by a recovery code")
                return HttpResponseRedirect(_next(request))
            wrong = _wrong(device)
        return self._page(request, step="ask", wrong=wrong)

    def _codes(self, request: HttpRequest) -> HttpResponse:
        codes = twofactor.new_codes(request.user)
        self._note(request, "Got new recovery codes")
        return self._page(request, step="codes", codes=codes)

    def _page(self, request: HttpRequest, step: str, **more: Any) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Two-factor login"),
            "step": step,
            "next": _next(request),
            **more,
        }
        return TemplateResponse(request, "admin/desk/twofactor.html", context)

    def _note(self, request: HttpRequest, what: str) -> None:
        row, _made = StaffProfile.objects.get_or_create(user_id=request.user.pk)
        self.log_change(request, row, what)


class Resets(ModelAdmin):
    """For users: takes the second step from who has lost phone and codes."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if not twofactor.wanted():
            actions.pop("reset_two_factor", None)
        return actions

    @admin.action(description=_("Reset two-factor login"), permissions=["change"])
    def reset_two_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        if not request.user.is_superuser and users.filter(is_superuser=True).exists():
            raise PermissionDenied  # as it would open an account with more rights
        for user in users:
            twofactor.forget(user)
            self.log_change(request, user, "Reset two-factor login")
        told = ngettext("%(count)s login is reset.", "%(count)s logins are reset.", len(users))
        self.message_user(request, told % {"count": len(users)})


def _code(request: HttpRequest) -> str:
    return "".join(request.POST.get("code", "").split()).lower()[:16]


def _wrong(device: Any) -> str:
    if device is not None:
        device.refresh_from_db()
    seconds = twofactor.wait(device)
    if not seconds:
        return str(_("This code is not right."))
    told = _("This code is not right, or came too early. The next counts in %(seconds)s s.")
    return str(told) % {"seconds": seconds}


def _codes_left(user: Any) -> int:
    return sum(device.token_set.count() for device in StaticDevice.objects.filter(user=user))


def _next(request: HttpRequest) -> str:
    """Where they wanted to go; on this server, and nowhere else."""
    wish = request.POST.get("next") or request.GET.get("next") or ""
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wish, hosts, require_https=request.is_secure()):
        return wish
    return reverse("admin:index")
