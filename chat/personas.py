"""Personas and their versions: saved, published, rendered. Only this module writes them.

A version never changes once written, and each reply records which one spoke; so staff can always
see what the agent was told on the day it said something.
"""

import logging
import re
from pathlib import Path
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import BigAutoField

from chat.models import Persona, PersonaVersion, Site
from salesagent.prepared import Prepared, Slot

logger = logging.getLogger(__name__)

# Who speaks, and how, where nothing has been published.
DEFAULT_AGENT = "Sales assistant"
DEFAULT_INSTRUCTIONS = (
    Path(__file__).with_name("default_instructions.txt").read_text(encoding="utf-8").strip()
)

_DEFAULTS: dict[str, Any] = {
    "agent_name": DEFAULT_AGENT,
    "avatar": "",
    "instructions": DEFAULT_INSTRUCTIONS,
    "tone": "",
    "limits": "",
    "greeting": "",
    "suggestions": [],
    "tools_off": [],
    "model": "",
    "temperature": None,
    "reply_tokens": None,
    "voice": "",
    "voice_model": "",
    "voice_language": "",
    "voice_speed": None,
}


_PUBLISHED = Prepared(
    lambda: PersonaVersion.objects.order_by().filter(
        pk__in=Persona.objects.filter(pk=Slot("persona", BigAutoField())).values("published")
    )
)


def create(name: str) -> Persona:
    """The persona of that name, made if there is none; it has no version yet."""
    return Persona.objects.get_or_create(name=name)[0]


@transaction.atomic
def save_version(
    persona: Persona,
    *,
    author: AbstractBaseUser | AnonymousUser | None = None,
    note: str = "",
    **fields: Any,
) -> PersonaVersion:
    """Writes the persona's next version; what `fields` leaves out is as in the newest one.

    Nothing is written, and the newest version returned, where the content would be the same.
    """
    if unknown := fields.keys() - _DEFAULTS.keys():
        raise TypeError(f"A persona version has no {', '.join(sorted(unknown))}.")
    # The lock makes numbers follow each other when two people save at once.
    locked = Persona.objects.select_for_update().get(pk=persona.pk)
    newest = locked.versions.order_by("-number").first()
    before = {name: getattr(newest, name) for name in _DEFAULTS} if newest else None
    content = {**(before or _DEFAULTS), **fields}
    if newest and content == before:
        return newest
    version = draft(
        **content,
        persona=locked,
        number=newest.number + 1 if newest else 1,
        author_id=author.pk if author else None,
        note=note,
    )
    version.full_clean(exclude=["author"])
    version.save()
    return version


def draft(**fields: Any) -> PersonaVersion:
    """A version that is not stored; what `fields` leaves out is as where nothing was published."""
    return PersonaVersion(**{**_DEFAULTS, **fields})


@transaction.atomic
def publish(version: PersonaVersion, *, by: AbstractBaseUser | AnonymousUser | None = None) -> None:
    """From its next turn on the persona speaks by this version, on all its sites."""
    persona = Persona.objects.select_for_update().get(pk=version.persona_id)
    if persona.published_id == version.pk:
        return
    persona.published = version
    persona.save(update_fields=["published"])
    logger.info(
        "persona %s: version %s published by user %s",
        persona.pk,
        version.number,
        by.pk if by else "-",
    )


def published(site: Site) -> PersonaVersion | None:
    """The version that speaks on a site now; read anew each time, so that publishing is seen."""
    return _PUBLISHED.first(persona=site.persona_id)


def agent_name(version: PersonaVersion | None) -> str:
    """How the agent introduces itself, also where nothing has been published."""
    return version.agent_name if version else DEFAULT_AGENT


def instructions(version: PersonaVersion | None, site: Site) -> str:
    """The system prompt; `{agent}` and `{company}` are filled in, other braces stay as they are."""
    text = version.instructions if version and version.instructions.strip() else ""
    text = text or DEFAULT_INSTRUCTIONS
    if version and version.tone.strip():
        text = f"{text}\n\nTone: {version.tone.strip()}"
    if version and version.limits.strip():
        text = f"{text}\n\nNever, whatever is asked:\n{version.limits.strip()}"
    return _filled(text, version, site)


def greeting(version: PersonaVersion | None, site: Site) -> str:
    """What stands there before anything is said: the version's own words, or else the site's."""
    own = version.greeting.strip() if version else ""
    return _filled(own, version, site) if own else site.greeting


def suggestions(version: PersonaVersion | None, site: Site) -> list[str]:
    """What a visitor may click on below it; the site's where the version has none."""
    own = version.suggestions if version else []
    return [_filled(line, version, site) for line in own] if own else site.suggestions


def _filled(text: str, version: PersonaVersion | None, site: Site) -> str:
    values = {"{agent}": agent_name(version), "{company}": site.name}
    # In one pass, so that a company called "{agent}" stays what it is.
    return re.sub(r"\{(?:agent|company)\}", lambda match: values[match[0]], text)
