"""Webhooks: which servers of the company hear of leads, and what became of each message."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminURLInputWidget

from chat import deliveries, outbound
from chat.admin.conversations import ReadOnlyAdmin
from chat.admin.deleting import CountedDeletion
from chat.admin.desk import labelled, link_to, moment, shortened
from chat.admin.filters import FetchedById, Narrow
from chat.models import Delivery, Webhook
from chat.models.webhooks import new_secret

COLOURS = {"waiting": "warning", "delivered": "success", "failed": "danger", "": ""}


class WebhookForm(forms.ModelForm):
    url = forms.URLField(
        label=_("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=_("https, on a server that the internet can reach."),
        widget=UnfoldAdminURLInputWidget,
    )

    class Meta:
        model = Webhook
        fields = ("site", "url", "enabled")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            outbound.look(url)
        except outbound.Unreachable as error:
            words = {
                "private": _("That is an address of a private network. Nothing is sent there."),
                "address": _("It must begin with https:// and hold no password or spaces."),
            }
            raise forms.ValidationError(words[error.code]) from None
        return url


@admin.register(Webhook)
class WebhookAdmin(CountedDeletion):
    along = "deliveries"
    form = WebhookForm
    list_display = ("url", "site", "on", "latest")
    list_filter = (("site", RelatedDropdownFilter),)
    list_per_page = 50
    compressed_fields = False
    change_form_outer_after_template = "admin/desk/webhook.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        newest = Delivery.objects.filter(webhook=OuterRef("pk")).order_by("-created")
        rows = super().get_queryset(request).select_related("site")
        return rows.annotate(newest_state=Subquery(newest.values("state")[:1]))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        webhook: Webhook | None = context.get("original")
        if webhook and self.has_change_permission(request, webhook):
            context["webhook_secret"] = webhook.secret
        return super().render_change_form(request, context, *args, **more)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"chat_webhook_{name}",
            )
            for name, view in (("test", self.test_view), ("secret", self.secret_view))
        ]
        return [*own, *super().get_urls()]

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = deliveries.ping(self._changeable(request, object_id))
        messages.success(request, _("A test is on its way. This page says what becomes of it."))
        return HttpResponseRedirect(reverse("admin:chat_delivery_change", args=[row.pk]))

    def secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._changeable(request, object_id)
        webhook.secret = new_secret()
        webhook.save(update_fields=["secret"])
        self.log_change(request, webhook, "New secret")
        messages.success(request, _("There is a new secret. Everything is signed with it now."))
        return HttpResponseRedirect(reverse("admin:chat_webhook_change", args=[webhook.pk]))

    def _changeable(self, request: HttpRequest, object_id: str) -> Webhook:
        webhook = self.get_object(request, unquote(object_id))
        if webhook is None:
            raise Http404
        if not self.has_change_permission(request, webhook):
            raise PermissionDenied
        return webhook

    @admin.display(description=_("enabled"), boolean=True, ordering="enabled")
    def on(self, webhook: Webhook) -> bool:
        return webhook.enabled

    @labelled(_("the latest message"), COLOURS)
    def latest(self, webhook: Any) -> tuple[str, Any]:
        state = webhook.newest_state or ""
        return state, dict(Delivery.State.choices).get(state, "–")


@admin.register(Delivery)
class DeliveryAdmin(FetchedById, ReadOnlyAdmin):
    list_display = ("made", "event", "of_lead", "to", "how", "attempts", "answer", "next")
    list_display_links = ("made",)
    list_filter = (("state", ChoicesDropdownFilter), ("webhook", RelatedDropdownFilter))
    list_filter_submit = True
    list_per_page = 50
    list_fullwidth = True
    paginator = Narrow
    show_full_result_count = False
    ordering = ("-created",)
    fields = (("id", "event"), "to", "of_lead", ("how", "attempts"), ("made", "arrived"), "tried")
    readonly_fields = ("id", "to", "of_lead", "how", "made", "arrived", "tried")
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("webhook", "lead")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # They go with their webhook or lead, and by `manage.py prune`; none by itself.
        return "delivery" not in (getattr(request.resolver_match, "url_name", "") or "")

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chat.change_delivery")

    @admin.action(description=_("Send again"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        chosen = list(queryset.values_list("pk", flat=True)[:500])
        sent = sum(deliveries.again(pk) for pk in chosen)
        line = ngettext("%(n)s message is sent again.", "%(n)s messages are sent again.", sent)
        messages.success(request, line % {"n": sent})

    @admin.display(description=_("since"), ordering="created")
    def made(self, row: Delivery) -> str:
        return moment(row.created)

    @admin.display(description=_("lead"))
    def of_lead(self, row: Delivery) -> Any:
        return link_to("admin:chat_lead_change", row.lead_id, row.lead) if row.lead else "–"

    @admin.display(description=_("webhook"))
    def to(self, row: Delivery) -> str:
        return shortened(row.webhook.url, 60)

    @labelled(_("state"), COLOURS)
    def how(self, row: Delivery) -> tuple[str, Any]:
        return row.state, row.get_state_display()

    @admin.display(description=_("answer"))
    def answer(self, row: Delivery) -> str:
        last = row.log[-1] if row.log else {}
        return str(last.get("status") or REASONS.get(last.get("error", ""), "–"))

    @admin.display(description=_("next attempt"))
    def next(self, row: Delivery) -> str:
        return moment(row.due) if row.state == Delivery.State.WAITING else ""

    @admin.display(description=_("delivered"))
    def arrived(self, row: Delivery) -> str:
        return moment(row.delivered) if row.delivered else ""

    @admin.display(description=_("attempts"))
    def tried(self, row: Delivery) -> str:
        tries = [{**each, "reason": REASONS.get(each["error"], "")} for each in row.log]
        return render_to_string("admin/desk/attempts.html", {"tries": tries})


REASONS = {
    "address": _("no address that is asked"),
    "name": _("its name is not known"),
    "private": _("it leads into a private network"),
    "certificate": _("its certificate is not valid"),
    "timeout": _("it did not answer in time"),
    "connection": _("it could not be reached"),
    "switched off": _("the webhook is switched off"),
}
