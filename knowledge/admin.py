"""The knowledge as staff keep it: collections, and entries to search, write and switch off."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminURLInputWidget,
)

from knowledge.models import WORDS, Collection, Entry
from knowledge.workshop import Workshop


class LanguageFilter(DropdownFilter):
    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        used = Entry.objects.order_by("language").values_list("language", flat=True).distinct()
        return [(code, dict(settings.LANGUAGES).get(code, code)) for code in used]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(language=self.value()) if self.value() else queryset


class Switched(DropdownFilter):
    """Yes or no of a condition of the row."""

    condition: Q

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        conditions = {"yes": self.condition, "no": ~self.condition}
        return queryset.filter(conditions.get(self.value() or "", Q()))


class EnabledFilter(Switched):
    title = _("enabled")
    parameter_name = "enabled"
    condition = Q(enabled=True)


class EmbeddedFilter(Switched):
    title = _("found by meaning")
    parameter_name = "embedded"
    condition = Q(vector__isnull=False)


class EntryForm(forms.ModelForm):
    link = forms.URLField(
        label=_("Link"),
        required=False,
        assume_scheme="https",
        help_text=_("Shown to the visitor as the source."),
        widget=UnfoldAdminURLInputWidget,
    )
    language = forms.ChoiceField(label=_("Language"), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Entry
        fields = ("collection", "title", "questions", "text", "link", "language", "enabled")
        widgets = {
            "questions": UnfoldAdminTextareaWidget({"rows": 5}),
            "text": UnfoldAdminTextareaWidget({"rows": 10}),
        }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if "language" in self.fields:
            current = self.instance.language
            known = {current: current} | dict(settings.LANGUAGES)
            self.fields["language"].choices = list(known.items())  # type: ignore[attr-defined]


@admin.register(Entry)
class EntryAdmin(Workshop):
    form = EntryForm
    list_display = ("title", "collection", "language", "on", "by_meaning", "updated")
    list_filter = (
        ("collection", RelatedDropdownFilter),
        LanguageFilter,
        EnabledFilter,
        EmbeddedFilter,
    )
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    search_fields = tuple(sorted(WORDS))
    search_help_text = _("Words of the title, of the questions or of the text")
    actions = ("enable", "disable")
    fieldsets = (
        (None, {"fields": ("title", "questions", "text", "link")}),
        (_("Where it belongs"), {"fields": (("collection", "language"), "enabled")}),
    )
    warn_unsaved_form = True
    compressed_fields = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        rows = super().get_queryset(request).select_related("collection")
        return rows.annotate(has_vector=Q(vector__isnull=False)).defer("vector")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        newest = Entry.objects.order_by("-created").values("collection", "language").first()
        return {**(newest or {}), **super().get_changeform_initial_data(request)}

    @admin.action(description=_("Enable the selected entries"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        self._switch(request, queryset, enabled=True)

    @admin.action(description=_("Disable the selected entries"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        self._switch(request, queryset, enabled=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Entry], *, enabled: bool) -> None:
        changed = queryset.update(enabled=enabled)
        line = ngettext("%(count)s entry changed.", "%(count)s entries changed.", changed)
        messages.success(request, line % {"count": changed})

    @admin.display(description=_("enabled"), boolean=True, ordering="enabled")
    def on(self, entry: Entry) -> bool:
        return entry.enabled

    @admin.display(description=_("found by meaning"), boolean=True)
    def by_meaning(self, entry: Any) -> bool:
        return entry.has_vector


@admin.register(Collection)
class CollectionAdmin(ModelAdmin):
    list_display = ("name", "size", "created")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Collection]:
        return super().get_queryset(request).annotate(entry_count=Count("entries"))

    @admin.display(description=_("entries"), ordering="entry_count")
    def size(self, collection: Any) -> int:
        return collection.entry_count
