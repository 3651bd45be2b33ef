"""Money: what models have cost today, against which budgets; their prices; the brake."""

from decimal import Decimal
from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from chat import backends, budgets, process
from chat.admin.desk import labelled, moment
from chat.live import live
from chat.llm import prices
from chat.models import Brake, ModelPrice, Spend
from chat.money import dollars

STOP = "chat.stop_paid_calls"


def tell_processes() -> None:
    """This one looks at once, the others as they hear of it: at the latest by their next look."""
    async_to_sync(_tell)()


async def _tell() -> None:
    await process.look_at_money()
    await live.layer.ask_all({"type": "money"})


@admin.register(Spend)
class SpendAdmin(ModelAdmin):
    """Read only. Of visitors and addresses it shows nothing: their rows say nothing to a person."""

    list_display = ("when", "whose", "spent_dollars", "held_dollars", "budget", "share", "since")
    list_display_links = None
    list_per_page = 50
    ordering = ("-day", "-scope", "-spent")  # all together before the sites
    list_before_template = "admin/desk/brake.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Spend]:
        rows = super().get_queryset(request).filter(scope__in=(Spend.Scope.WHOLE, Spend.Scope.SITE))
        return rows.select_related("site")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        brake = Brake.objects.filter(pk=Brake.ROW).first()
        more = {
            "title": _("Spending"),
            "brake": brake,
            "brake_since": moment(brake.since) if brake and brake.since else "",
            "may_stop": request.user.has_perm(STOP),
            "nothing_paid": not backends.paid(),
        }
        return super().changelist_view(request, {**more, **(extra_context or {})})

    # --- The brake ------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        brake = self.admin_site.admin_view(require_POST(self.brake_view))
        return [path("brake/", brake, name="chat_spend_brake"), *super().get_urls()]

    def brake_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(STOP):
            raise PermissionDenied
        stop = "stop" in request.POST
        with transaction.atomic():
            brake = budgets.stop(stop, request.user.get_username())
            if brake is not None:
                self.log_change(request, brake, "Paid calls " + ("stopped" if stop else "allowed"))
        if brake is not None:
            tell_processes()
        if stop:
            messages.warning(request, _("Nothing is paid for now. The guided seller answers."))
        else:
            messages.success(request, _("Models are asked again, within the budgets."))
        return HttpResponseRedirect(reverse("admin:chat_spend_changelist"))

    # --- Columns --------------------------------------------------------------------------------

    @admin.display(description=_("day (UTC)"), ordering="day")
    def when(self, row: Spend) -> str:
        return row.day.isoformat()

    @admin.display(description=_("whose"))
    def whose(self, row: Spend) -> str:
        return str(row.site or row.get_scope_display())

    @admin.display(description=_("spent"), ordering="spent")
    def spent_dollars(self, row: Spend) -> str:
        return readable(row.spent)

    @admin.display(description=_("held for calls under way"), ordering="held")
    def held_dollars(self, row: Spend) -> str:
        return readable(row.held)

    @admin.display(description=_("budget"), ordering="cap")
    def budget(self, row: Spend) -> str:
        return readable(row.cap)

    @labelled(_("used"), {"low": "success", "half": "warning", "high": "danger"})
    def share(self, row: Spend) -> tuple[str, str]:
        percent = 100 * (row.spent + row.held) // row.cap if row.cap else 100
        kind = "high" if row.used_up or percent >= 80 else "half" if percent >= 50 else "low"
        return kind, f"{percent} %"

    @admin.display(description=_("used up at"), ordering="refused")
    def since(self, row: Spend) -> str:
        return moment(row.refused) if row.refused else ""


def readable(amount: int) -> str:
    """Dollars as a person reads them: cents, or more where it is less than a cent."""
    value = dollars(amount)
    return f"${value:.2f}" if value >= Decimal("0.01") or not value else f"${value:.6f}"


def plain(price: Decimal) -> str:
    """Without the zeros that the column adds."""
    return f"{price.normalize():f}"


class PriceForm(forms.ModelForm):
    class Meta:
        model = ModelPrice
        fields = ("model", "input", "cached", "output")

    def clean_model(self) -> str:
        name: str = self.cleaned_data["model"]
        if not name.isprintable() or " " in name:
            raise forms.ValidationError(_("A model's name has no spaces."))
        return name


@admin.register(ModelPrice)
class ModelPriceAdmin(ModelAdmin):
    form = PriceForm
    list_display = ("model", "of_input", "of_cached", "of_output")
    search_fields = ("model",)
    fieldsets = (
        (
            None,
            {
                "fields": ("model", ("input", "cached", "output")),
                "description": _("US dollars per million tokens. It counts from the next call on."),
            },
        ),
    )
    list_after_template = "admin/desk/prices.html"
    compressed_fields = False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        more = {"delivered": sorted(prices.delivered().items()), "unknown": prices.UNKNOWN}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    @admin.display(description=_("input"), ordering="input")
    def of_input(self, row: ModelPrice) -> str:
        return plain(row.input)

    @admin.display(description=_("cached input"), ordering="cached")
    def of_cached(self, row: ModelPrice) -> str:
        return plain(row.cached)

    @admin.display(description=_("output"), ordering="output")
    def of_output(self, row: ModelPrice) -> str:
        return plain(row.output)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(tell_processes)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        transaction.on_commit(tell_processes)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        transaction.on_commit(tell_processes)
