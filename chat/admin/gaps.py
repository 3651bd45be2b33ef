"""Open questions: what visitors asked in vain, gathered by meaning, one click from an answer."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from chat.admin.desk import OPEN_QUESTIONS
from chat.gaps import QUESTIONS, Gap, bring_back, gaps, left_alone, set_aside
from chat.models import Message, Site
from chat.staff import seen_by

SET_ASIDE = "chat.set_question_aside"
LEFT_ALONE = 50  # of those set aside, to be brought back
WAYS = 6  # to ask the same, that go along into a new entry


class Gaps(ModelAdmin):
    """The page, and the part of it that takes some time: it is asked for by the page itself."""

    def get_urls(self) -> list[URLPattern]:
        aside = self.admin_site.admin_view(require_POST(self.aside_view))
        own = [
            path("set-aside/", aside, name=f"{NAME}_aside"),
            path("open-questions/", self.admin_site.admin_view(self.gaps_view), name=f"{NAME}"),
            path("gathered/", self.admin_site.admin_view(self.gathered_view), name=f"{NAME}_list"),
        ]
        return [*own, *super().get_urls()]

    def gaps_view(self, request: HttpRequest) -> HttpResponse:
        self._check(request)
        shown = {
            **self.admin_site.each_context(request),
            "title": _("Open questions"),
            "content_title": _("Open questions"),
            "sites": sites(request),
            "chosen": chosen(request),
            "media": self.media,
        }
        return TemplateResponse(request, "admin/desk/gaps.html", shown)

    def gathered_view(self, request: HttpRequest) -> HttpResponse:
        self._check(request)
        site = chosen(request)
        found = [(gap, write_link(gap)) for gap in gaps(site)] if site else []
        shown = {
            "gaps": found,
            "site": site,
            "may_write": request.user.has_perm("knowledge.add_entry"),
            "may_set_aside": request.user.has_perm(SET_ASIDE),
            "left_alone": left_alone(site)[:LEFT_ALONE] if site else [],
        }
        return TemplateResponse(request, "admin/desk/gathered.html", shown)

    def aside_view(self, request: HttpRequest) -> HttpResponse:
        """Sets the posted replies' questions aside, or brings them back."""
        self._check(request)
        if not request.user.has_perm(SET_ASIDE):
            raise PermissionDenied
        ids = [id for id in map(_id, request.POST.getlist("reply")[:QUESTIONS]) if id]
        named = Message.objects.filter(pk__in=ids)
        replies = seen_by(request.user, named, "conversation__site")
        site = request.POST.get("site", "")
        if "back" in request.POST:
            bring_back(replies, request.user)
        else:
            set_aside(replies, request.user)
            if request.headers.get("HX-Request"):
                shown = {"replies": list(replies.select_related("reply_to")), "site": site}
                return TemplateResponse(request, "admin/desk/set_aside.html", shown)
        page = reverse(f"admin:{NAME}")
        return HttpResponseRedirect(f"{page}?site={site}" if site.isdecimal() else page)

    def _check(self, request: HttpRequest) -> None:
        if not request.user.has_perms(OPEN_QUESTIONS):
            raise PermissionDenied


NAME = "chat_persona_gaps"


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def chosen(request: HttpRequest) -> Site | None:
    number = request.GET.get("site", "")
    seen = sites(request)
    return seen.filter(pk=int(number)).first() if number.isdecimal() else seen.first()


def sites(request: HttpRequest) -> QuerySet[Site]:
    """Those whose visitors this member of staff may read."""
    return seen_by(request.user, Site.objects.order_by("name"), "pk")


def write_link(gap: Gap) -> str:
    """Where a new entry begins with these questions."""
    language = (gap.first.conversation.locale or gap.site.language).partition("-")[0]
    values: dict[str, Any] = {
        "title": gap.first.text[:200],
        "questions": "\n".join(text[:150] for text in gap.others[:WAYS]),
        "language": language,
    }
    if gap.site.collection_id:
        values["collection"] = gap.site.collection_id
    return f"{reverse('admin:knowledge_entry_add')}?{urlencode(values)}"
