"""Beside a persona's form: what differs between versions, what stands out, a draft to talk with.

The draft is what stands in the form, saved or not. It is tried out by `playground`, which writes
nothing; a stream of its answer holds no thread.
"""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from heapq import nlargest
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import OrderBy, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from chat import context, personas, playground, process, prompts
from chat.admin.transcript import line
from chat.admin.voices import SPOKEN
from chat.differences import passages
from chat.lint import look, look_at_beginning
from chat.models import Conversation, Message, Persona, PersonaVersion, Site
from chat.staff import seen_by

QUESTIONS = 12  # past ones to choose from ...
TALKS = 300  # ... out of so many conversations
TALK = 40  # lines of a talk with a draft
LINE = 4000  # characters of one
FIELDS = (
    *("agent_name", "avatar", "tone", "model", "temperature", "reply_tokens", "tools_off"),
    *SPOKEN,
)
TEXTS = ("instructions", "limits", "greeting", "suggestions")  # compared word by word


class Workbench(ModelAdmin):
    """The pages that a persona's form asks for. `form` makes `version_fields` of what is posted."""

    def get_urls(self) -> list[URLPattern]:
        def route(address: str, view: Callable[..., Any], name: str) -> URLPattern:
            return path(address, self.admin_site.admin_view(view), name=f"chat_persona_{name}")

        return [
            route("<int:persona_id>/compare/", self.compare_view, "compare"),
            route("<int:persona_id>/questions/", self.questions_view, "questions"),
            route("<int:persona_id>/try/", require_POST(self.try_view), "try"),
            route("lint/", require_POST(self.lint_view), "lint"),
            *super().get_urls(),
        ]

    # --- What differs ---------------------------------------------------------------------------

    def compare_view(self, request: HttpRequest, persona_id: int) -> HttpResponse:
        persona = get_object_or_404(Persona, pk=persona_id)
        if not self.has_view_permission(request, persona):
            raise PermissionDenied
        versions = list(persona.versions.select_related("author"))
        old, new = (self._named(request.GET.get(name), versions) for name in ("old", "new"))
        shown = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("What differs"),
            "persona": persona,
            "versions": versions,
            "old": old,
            "new": new,
            "media": self.media,
        }
        if old and new:
            shown["texts"] = [
                (PersonaVersion._meta.get_field(name).verbose_name, passages(*texts))  # type: ignore[union-attr]
                for name in TEXTS
                if (texts := (written(old, name), written(new, name))) and texts[0] != texts[1]
            ]
            shown["fields"] = [
                (PersonaVersion._meta.get_field(name).verbose_name, *values)  # type: ignore[union-attr]
                for name in FIELDS
                if (values := (plain(getattr(old, name)), plain(getattr(new, name))))
                and values[0] != values[1]
            ]
        return TemplateResponse(request, "admin/desk/compare.html", shown)

    def _named(self, number: str | None, versions: list[PersonaVersion]) -> PersonaVersion | None:
        return next((each for each in versions if str(each.number) == number), None)

    # --- What stands out ------------------------------------------------------------------------

    def lint_view(self, request: HttpRequest) -> HttpResponse:
        if not (self.has_view_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        text = request.POST.get("instructions", "")
        draft = personas.draft(
            instructions=text,
            tone=request.POST.get("tone", ""),
            limits=request.POST.get("limits", ""),
        )
        whole = personas.instructions(draft, Site(name="Company"))
        room = context.budget_for(
            request.POST.get("model") or settings.CHAT_MODEL, settings.CHAT_CONTEXT_TOKENS
        )
        found = look(f"{text}\n{draft.limits}", context.tokens(whole), room)
        said = [request.POST.get(name, "") for name in ("greeting", "suggestions")]
        found = [*found, *look_at_beginning(*said)]
        return TemplateResponse(request, "admin/desk/lint.html", {"found": found})

    # --- A draft that answers -------------------------------------------------------------------

    def questions_view(self, request: HttpRequest, persona_id: int) -> HttpResponse:
        """Past questions with their answers, to be answered again: the newest, or those rated
        badly or failed, in which the words stand that were written."""
        persona = get_object_or_404(Persona, pk=persona_id)
        if not self._may_try(request, persona) or not self._may_read(request):
            raise PermissionDenied
        rows = self._readable(request, persona)
        if request.GET.get("which") == "bad":
            rows = rows.filter(Q(feedback=-1) | Q(state=Message.State.FAILED))
        if words := request.GET.get("q", "").replace("\0", "").strip():
            rows = rows.filter(reply_to__text__icontains=words)
        sites = list(persona.sites.values_list("pk", flat=True))
        talks = seen_by(request.user, Conversation.objects.filter(site__in=sites))
        replies = [(row, line(row, "")) for row in newest(rows, talks)]
        return TemplateResponse(request, "admin/desk/questions.html", {"replies": replies})

    def try_view(self, request: HttpRequest, persona_id: int) -> HttpResponseBase:
        """The draft answers a talk, or a real question again; a line of JSON for each event."""
        persona = get_object_or_404(Persona, pk=persona_id)
        if not self._may_try(request, persona):
            raise PermissionDenied
        form: Any = self.get_form(request, persona)(request.POST, instance=persona)
        if not form.is_valid():
            words = " ".join(str(line) for lines in form.errors.values() for line in lines)
            return JsonResponse({"error": words}, status=400)
        draft = personas.draft(**form.version_fields())
        try:
            material = self._material(request, persona, draft)
        except ValueError as error:
            return JsonResponse({"error": str(error)}, status=400)
        response = StreamingHttpResponse(lines(material), content_type="application/x-ndjson")
        response["Cache-Control"] = "private, no-store"
        response["X-Accel-Buffering"] = "no"
        return response

    def _material(
        self, request: HttpRequest, persona: Persona, draft: PersonaVersion
    ) -> prompts.Material:
        if "reply" in request.POST:
            if not self._may_read(request):
                raise PermissionDenied
            return real(self._readable(request, persona), draft, request.POST["reply"])
        site = trial_site(persona)
        if site is None:
            raise ValueError(_("There is no site yet whose knowledge it could answer from."))
        return playground.made_up(site, draft, spoken(request.POST.get("talk", "")))

    def _readable(self, request: HttpRequest, persona: Persona) -> QuerySet[Message]:
        return seen_by(request.user, past_questions(persona), "conversation__site")

    def _may_try(self, request: HttpRequest, persona: Persona) -> bool:
        # It costs money, as publishing it would.
        return self.has_change_permission(request, persona)

    def _may_read(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chat.view_conversation")


def trial_site(persona: Persona) -> Site | None:
    """The site as whose agent a draft is tried out."""
    return persona.sites.order_by("pk").first() or Site.objects.order_by("pk").first()


def written(version: PersonaVersion, name: str) -> str:
    value = getattr(version, name)
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def plain(value: Any) -> str:
    if value in (None, "", []):
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def past_questions(persona: Persona) -> QuerySet[Message]:
    """Finished replies to visitors on the persona's sites, the newest first."""
    ended = (Message.State.COMPLETE, Message.State.FAILED)
    rows = Message.objects.filter(role=Message.Role.AGENT, state__in=ended, reply_to__isnull=False)
    # Nearly all replies are of a few versions. Their index would be of no help, and PostgreSQL
    # takes it while it knows nothing of the table yet; of what is coalesced there is none.
    mine = rows.alias(version=Coalesce("persona_version", 0))
    mine = mine.filter(version__in=persona.versions.values("pk"))
    mine = mine.select_related("reply_to", "persona_version__persona", "author")
    return mine.order_by("-created")


def newest(past: QuerySet[Message], talks: QuerySet[Conversation]) -> list[Message]:
    """The newest of `past`, out of the newest of `talks`.

    Step by step, since no index knows all that is asked: in one query PostgreSQL, which expects to
    find enough soon, would go through all messages where few are to be found.
    """
    of_talks = talks.order_by("-updated").values_list("pk", flat=True)[:TALKS]
    # "Up to the last" says nothing of a message, but makes the right index the cheapest.
    theirs = past.filter(conversation=OuterRef("pk"), seq__lte=OuterRef("last_seq"))
    last = Subquery(theirs.order_by("-seq").values("created")[:1])
    # In as many talks as are wanted of messages these stand: each has one, all others are older.
    ranked = Conversation.objects.filter(pk__in=list(of_talks))
    ranked = ranked.order_by(OrderBy(last, descending=True, nulls_last=True))
    within = past.filter(conversation__in=list(ranked.values_list("pk", flat=True)[:QUESTIONS]))
    dated = within.order_by().values_list("created", "pk")
    return list(past.filter(pk__in=[pk for _date, pk in nlargest(QUESTIONS, dated)]))


def real(past: QuerySet[Message], draft: PersonaVersion, reply: str) -> prompts.Material:
    """What the draft has to go by to answer the question that `reply`, an id of `past`, answered.

    Raises `ValueError` with a sentence.
    """
    try:
        row = past.filter(id=uuid.UUID(reply)).first()
    except ValueError:
        row = None
    if row is None or row.reply_to is None:
        raise ValueError(_("That question is no more."))
    # As it stood then: without the lead and the summary, which know what came later.
    talk = Conversation.objects.select_related("site").get(pk=row.conversation_id)
    before = talk.messages.filter(seq__lte=row.reply_to.seq).exclude(role=Message.Role.SYSTEM)
    said = [(each.role, each.text) for each in before.order_by("-seq")[:TALK]][::-1]
    return playground.made_up(talk.site, draft, said, like=talk)


def spoken(written: str) -> list[tuple[str, str]]:
    """A talk as the page sends it: JSON, pairs of "visitor" or "agent" and words."""
    try:
        talk = json.loads(written)
        pairs = [(str(role), str(text)[:LINE].strip()) for role, text in talk]
    except (ValueError, TypeError, RecursionError):
        raise ValueError(_("Nothing was asked.")) from None
    if not pairs or pairs[-1][0] != "visitor" or not pairs[-1][1]:
        raise ValueError(_("Nothing was asked."))
    return pairs[-TALK:]


async def lines(material: prompts.Material) -> AsyncIterator[bytes]:
    await process.startup()
    async for event in playground.answer(material):
        yield json.dumps(event, ensure_ascii=False).encode() + b"\n"
