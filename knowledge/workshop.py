"""Pages beside the list of entries: what a question finds, and a file that is taken in."""

import logging
from contextlib import nullcontext
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from knowledge import embeddings, imports
from knowledge.embeddings import EmbeddingError
from knowledge.models import Collection, Entry
from knowledge.search import Found, search

logger = logging.getLogger(__name__)

LARGEST = 900_000  # bytes of a file
SHOWN = 200  # rows of a preview
FOUND = 8
OF_COLLECTION = "collection__id__exact"  # the list's filter


class Asking(forms.Form):
    """A question to a collection."""

    collection = forms.ModelChoiceField(
        label=_("Collection"), queryset=Collection.objects.all(), widget=UnfoldAdminSelectWidget
    )
    question = forms.CharField(
        label=_("Question"), max_length=500, widget=UnfoldAdminTextInputWidget
    )
    language = forms.ChoiceField(
        label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget
    )


class Import(forms.Form):
    """A file or a text, and where it belongs."""

    collection = forms.ModelChoiceField(
        label=_("Collection"), queryset=Collection.objects.all(), widget=UnfoldAdminSelectWidget
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=settings.LANGUAGES,
        help_text=_("Of entries that do not name theirs."),
        widget=UnfoldAdminSelectWidget,
    )
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("CSV with columns title and text, or Markdown with headings."),
        widget=UnfoldAdminFileFieldWidget,
    )
    text = forms.CharField(
        label=_("Or its text"), required=False, widget=UnfoldAdminTextareaWidget({"rows": 10})
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if file is not None:
            if file.size > LARGEST:
                raise forms.ValidationError(_("The file is larger than 900 kB."))
            try:
                cleaned["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError(_("The file is no text in UTF-8.")) from None
        if not cleaned.get("text", "").strip():
            raise forms.ValidationError(_("Choose a file, or paste its text."))
        return cleaned


class Workshop(ModelAdmin):
    """For the admin of entries."""

    list_before_template = "admin/desk/knowledge_tools.html"

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"{name}/", self.admin_site.admin_view(view), name=f"knowledge_entry_{name}")
            for name, view in (
                ("try", self.try_view),
                ("import", self.import_view),
                ("progress", self.progress_view),
            )
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        more: dict[str, Any] = {"may_import": self._may_import(request)}
        number = request.GET.get(OF_COLLECTION, "")
        more["progress_of"] = int(number) if number.isdecimal() else 0
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def _may_import(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def _page(self, request: HttpRequest, template: str, **more: Any) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/desk/{template}.html", {**shared, **more})

    # --- What a question finds ------------------------------------------------------------------

    def try_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        first = Collection.objects.order_by("pk").first()
        form = Asking(request.GET if "question" in request.GET else None)
        form.initial = {"collection": first, "language": settings.LANGUAGE_CODE}
        found: list[Found] = []
        by_meaning = False
        if form.is_bound and form.is_valid():
            asked = form.cleaned_data
            found, by_meaning = look_up(
                asked["collection"].pk, asked["question"], asked["language"]
            )
        return self._page(
            request,
            "knowledge_try",
            title=_("Try it"),
            form=form,
            found=found,
            asked=form.is_bound and form.is_valid(),
            by_meaning=by_meaning,
        )

    # --- A file ---------------------------------------------------------------------------------

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """The form; then what would be done; then, confirmed, it is done."""
        if not self._may_import(request):
            raise PermissionDenied
        form = Import(request.POST or None, request.FILES or None)
        form.initial = {
            "collection": Collection.objects.order_by("pk").first(),
            "language": settings.LANGUAGE_CODE,
        }
        plan = None
        if form.is_bound and form.is_valid():
            told = form.cleaned_data
            try:
                plan = imports.read(told["text"], told["language"])
            except imports.Unreadable as error:
                form.add_error(None, str(error))
            else:
                if "confirm" in request.POST:
                    return self._take_in(request, plan, told["collection"])
                imports.compare(plan, told["collection"])
        shown: dict[str, Any] = {"plan": plan, "rows": plan.rows[:SHOWN] if plan else []}
        if plan:
            fates: tuple[imports.Fate, ...] = ("new", "changed", "same")
            shown["counts"] = {fate: len(plan.of(fate)) for fate in fates}
        return self._page(request, "knowledge_import", title=_("Import"), form=form, **shown)

    def _take_in(
        self, request: HttpRequest, plan: imports.Plan, collection: Collection
    ) -> HttpResponse:
        imports.take_in(plan, collection)
        new, changed = len(plan.of("new")), len(plan.of("changed"))
        LogEntry.objects.create(
            user_id=request.user.pk or 0,
            content_type=ContentType.objects.get_for_model(Entry),
            object_id="",
            object_repr=str(collection)[:200],
            action_flag=ADDITION,
            change_message=f"Imported: {new} new, {changed} changed",
        )
        line = _("Taken in: %(new)s new, %(changed)s changed, %(same)s as before.")
        counts = {"new": new, "changed": changed, "same": len(plan.of("same"))}
        messages.success(request, line % counts)
        address = reverse("admin:knowledge_entry_changelist")
        query = f"?{OF_COLLECTION}={collection.pk}"
        return HttpResponseRedirect(address + query)

    def progress_view(self, request: HttpRequest) -> HttpResponse:
        """How many of a collection's entries are found by meaning by now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        number = request.GET.get("collection", "")
        collection = get_object_or_404(Collection, pk=int(number) if number.isdecimal() else 0)
        entries = Entry.objects.enabled().filter(collection=collection)
        whole = entries.count()
        done = entries.filter(vector__isnull=False).count() if maker() else whole
        shown = {"whole": whole, "done": done, "collection": collection}
        return TemplateResponse(request, "admin/desk/knowledge_progress.html", shown)


def maker() -> embeddings.Embedder | None:
    try:
        return embeddings.embedder()
    except EmbeddingError:
        return None


def look_up(collection: int, question: str, language: str) -> tuple[list[Found], bool]:
    """What a visitor's question would find, and whether by meaning: without money words do."""
    made = maker()
    costs = made is not None and made.costs
    model = settings.KNOWLEDGE_EMBEDDINGS_MODEL
    try:
        with embeddings.paying(model, [question]) if costs else nullcontext():
            found = search(collection, question, limit=FOUND, language=language)
            return found, made is not None
    except EmbeddingError as error:
        logger.info("tried by words alone: %s", error)
    return search(collection, question, limit=FOUND, language=language, by_meaning=False), False
