"""Speaks ahead what is said again and again: nobody waits for it, and it is paid for once."""

from collections.abc import Iterator
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat import budgets, personas, speaking, tools
from chat.budgets import Payer
from chat.knowing import Searching
from chat.languages import spoken
from chat.llm import Prompt, Text
from chat.llm.guided import Guided, phrases
from chat.models import PersonaVersion, Site
from voice import clips, engines
from voice.speech import segments
from voice.voices import SpeechFailed


class Command(BaseCommand):
    help = (
        "Speaks the greetings of the enabled sites, the guided seller's answers to their "
        "suggestions and its own phrases, as far as they are not kept already."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", help="the public key of one site alone")
        parser.add_argument(
            "--dry-run", action="store_true", help="says what it would speak and cost"
        )

    def handle(self, *args: Any, site: str | None, dry_run: bool, **options: Any) -> None:
        if engines.output() != "server":
            raise CommandError("Browsers speak here: set VOICE_BACKEND to a voice of the server's.")
        sites = Site.objects.filter(enabled=True, **({"key": site} if site else {}))
        if site and not sites:
            raise CommandError(f"No site {site!r} is enabled.")
        said = characters = 0
        for each in sites.select_related("persona"):
            version = personas.published(each)
            voice = speaking.voice_of(version, spoken(each.language))
            for segment in _segments(each, version):
                if clips.read(voice.key(segment)) is not None:
                    continue
                said, characters = said + 1, characters + len(segment)
                if dry_run:
                    continue
                try:
                    speaking.speak_now(segment, voice)
                except (SpeechFailed, budgets.Refused) as failed:
                    raise CommandError(f"Stopped after {said - 1} segments: {failed}") from None
        begin = "Would speak" if dry_run else "Spoke"
        cost = speaking.price(characters)
        self.stdout.write(f"{begin} {said} segments, {characters} characters, ${cost:.4f}.")


def _segments(site: Site, version: PersonaVersion | None) -> Iterator[str]:
    """What is said word for word again, each once."""
    seen: set[str] = set()
    for text in _texts(site, version):
        for segment in segments(text):
            if segment.text not in seen:
                seen.add(segment.text)
                yield segment.text


def _texts(site: Site, version: PersonaVersion | None) -> Iterator[str]:
    yield personas.greeting(version, site)
    if settings.CHAT_BACKEND == "guided":
        for suggestion in personas.suggestions(version, site):
            yield async_to_sync(_answer)(site, version, suggestion)
    names = {"{agent}": personas.agent_name(version), "{company}": site.name}
    for key in phrases.PHRASES:
        for phrase in phrases.variants(key, spoken(site.language)):
            text = phrase
            for gap, name in names.items():
                text = text.replace(gap, name)
            if "{" not in text:  # what else it says depends on the talk
                yield text


async def _answer(site: Site, version: PersonaVersion | None, suggestion: str) -> str:
    """What the guided seller says to a suggestion as the first words of a visitor."""
    prompt = Prompt(
        messages=[
            {"role": "assistant", "content": personas.greeting(version, site)},
            {"role": "user", "content": suggestion},
        ],
        question=suggestion,
        language=site.language,
        agent=personas.agent_name(version),
        company=site.name,
        known={},
        search=Searching(site, Payer(), site.language),
    )
    events = Guided(delay=0).stream(prompt, tools.TOOLS)
    return "".join([event.text async for event in events if isinstance(event, Text)])
