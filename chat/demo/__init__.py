"""The demo: Haulberry, a made-up maker of cargo bikes, with its knowledge and three past talks."""

import tomllib
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from chat import campaigns, personas
from chat.evidence import Said, find
from chat.models import Conversation, Lead, Message, Site, Visitor
from knowledge.models import Collection, Entry

KEY = "demo"
COMPANY = "Haulberry"
AGENT = "Mira"

_GREETING = (
    "Hello! I'm Mira, Haulberry's digital assistant. Looking for a cargo bike for children, "
    "shopping or work? Ask me anything."
)
_SUGGESTIONS = [
    "Which bike is best for two children?",
    "What do your bikes cost?",
    "How long does delivery take?",
    "Can I take a test ride?",
]
# Off, so that the page is quiet until somebody tries it: a switch in the admin.
_GREETS = {
    "text": "Not sure which bike fits? Tell me whom or what you carry.",
    "after": 20,
    "scroll": 60,
    "daily": True,
}
_FACTS = (
    "Haulberry builds electric cargo bikes in Münster since 2014: Scout, Family, Trio and Pro.\n"
    "Workshop and phone: Tuesday to Friday 9 to 18, Saturday 10 to 16. E-mail hello@example.com.\n"
    "Prices are in euros and include VAT, apart from the Pro's, which is before VAT."
)


@transaction.atomic
def plant() -> bool:
    """Makes the demo site with all that belongs to it. False: it is there, and stays as it is.

    What staff changed, added or deleted since is theirs; so a site that exists is never touched.
    """
    if Site.objects.filter(key=KEY).exists():
        return False
    site = _site()
    for script in _data("conversations.toml")["conversation"]:
        _Told(site, script).write()
    return True


@transaction.atomic
def allow(origins: Iterable[str]) -> list[str]:
    """Adds allowed origins to the demo site; gives those that were not allowed before."""
    site = Site.objects.select_for_update().get(key=KEY)
    new = [origin for origin in dict.fromkeys(origins) if origin not in site.origins()]
    if new:
        site.allowed_origins = "\n".join(filter(None, [site.allowed_origins.strip(), *new]))
        site.save(update_fields=["allowed_origins"])
    return new


def entries() -> list[dict[str, Any]]:
    """The demo's knowledge: title, questions, text, link and language of each entry."""
    return [{"language": "en", **entry} for entry in _data("knowledge.toml")["entry"]]


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def _site() -> Site:
    persona = personas.create(f"{AGENT} of {COMPANY}")
    if persona.published_id is None:
        version = personas.save_version(persona, agent_name=AGENT, note="As the demo began")
        personas.publish(version)
    collection, new = Collection.objects.get_or_create(name=COMPANY)
    if new:
        Entry.objects.bulk_create(
            Entry(collection=collection, **{**entry, "questions": "\n".join(entry["questions"])})
            for entry in entries()
        )
    return Site.objects.create(
        key=KEY,
        name=COMPANY,
        persona=persona,
        collection=collection,
        facts=_FACTS,
        greeting=_GREETING,
        suggestions=_SUGGESTIONS,
        theme={"accent": "#6d28d9", "radius": 20},
        texts={"subtitle": "Electric cargo bikes from Münster"},
        greets=_GREETS,
        language="en",
    )


class _Told:
    """One past conversation, written as if it had happened: `conversations` knows only now."""

    def __init__(self, site: Site, script: Mapping[str, Any]) -> None:
        self.site = site
        self.script = script
        self.clock = timezone.now() - timedelta(hours=script["hours_ago"])
        self.version = personas.published(site)
        self.links = {entry["title"]: entry["link"] for entry in entries()}
        self.messages: list[Message] = []

    def write(self) -> None:
        begun = self.clock
        signed = self.script.get("visitor", {})
        visitor = Visitor.objects.create(
            site=self.site,
            locale=self.script["locale"],
            verified=begun if signed else None,
            **signed,
        )
        self.conversation = Conversation.objects.create(
            site=self.site,
            visitor=visitor,
            example=True,
            created=begun,
            updated=begun,
            campaign=campaigns.in_a_line(self.script["page_url"]),
            **{name: self.script[name] for name in ("locale", "page_url", "page_title")},
        )
        self._add(role=Message.Role.AGENT, text=self.site.greeting)
        for line in self.script["lines"]:
            self._line(visitor, line)
        Message.objects.bulk_create(self.messages)
        self._keep()
        if "lead" in self.script:
            self._lead(self.script["lead"], begun)

    def _line(self, visitor: Visitor, line: Mapping[str, Any]) -> None:
        self.clock += timedelta(seconds=35)
        if "say" in line:
            self._add(
                role=Message.Role.VISITOR,
                text=line["say"],
                visitor=visitor,
                client_id=str(uuid.uuid4()),
            )
        elif "system" in line:
            self.conversation.waiting_since = self.conversation.waiting_mailed = self.clock
            self._add(role=Message.Role.SYSTEM, text=line["system"])
        elif "staff" in line:
            self._taken_over(line)
        else:
            self._reply(line)

    def _taken_over(self, line: Mapping[str, Any]) -> None:
        self.conversation.state = Conversation.State.HUMAN
        self.conversation.waiting_since = None
        self.conversation.taken_name = line["name"]
        self.clock += timedelta(minutes=4)
        self._add(
            role=Message.Role.STAFF,
            text=line["staff"],
            name=line["name"],
            feedback=line.get("feedback"),
        )

    def _reply(self, line: Mapping[str, Any]) -> None:
        title = line.get("source")
        self._add(
            role=Message.Role.AGENT,
            text=line["reply"],
            reply_to=self._question(),
            persona_version=self.version,
            backend="guided",
            sources=[{"title": title, "url": self.links[title]}] if title else [],
            tools=[{"name": line["tool"], "done": True}] if "tool" in line else [],
            feedback=line.get("feedback"),
            feedback_comment=line.get("why", ""),
            first_word_ms=180,
            duration_ms=1400,
        )

    def _question(self) -> Message:
        return next(m for m in reversed(self.messages) if m.role == Message.Role.VISITOR)

    def _add(self, **fields: Any) -> None:
        # Begun and ended are two changes of a reply, and its feedback is a third.
        replied = fields.get("reply_to") is not None
        changes = 1 + replied + (fields.get("feedback") is not None)
        self.conversation.rev += changes
        self.conversation.last_seq += 1
        self.messages.append(
            Message(
                conversation=self.conversation,
                seq=self.conversation.last_seq,
                rev=self.conversation.rev,
                created=self.clock,
                **fields,
            )
        )

    def _keep(self) -> None:
        self.conversation.updated = self.clock
        self.conversation.save()

    def _lead(self, values: Mapping[str, str], begun: datetime) -> None:
        theirs = [m for m in self.messages if m.role == Message.Role.VISITOR]
        heard = [Said(str(m.pk), m.seq, m.text) for m in theirs]
        found = {name: find(name, value, heard) for name, value in values.items() if name != "note"}
        Lead.objects.create(
            conversation=self.conversation,
            site=self.site,
            words="\n".join(
                m.text for m in theirs if any(value in m.text for value in values.values())
            ),
            evidence={name: where for name, where in found.items() if where},
            created=begun,
            mailed=self.clock,  # so that nobody gets a mail about somebody made up
            **values,
        )
