"""What is spoken costs, is kept, and goes again: budgets, the breaker, the cache and its bounds."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from chat import budgets, erasing, paid, personas, pruning, speaking
from chat.database import query
from chat.live import live
from chat.models import Message, Site
from chat.money import Spend, dollars
from knowledge.models import Entry
from tests.base import Talker, make_site
from tests.smallest import Smallest
from voice import clips
from voice.models import Clip, ClipUse
from voice.synthesis import syntheses
from voice.voices import Voice

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "It costs twenty dollars a month, and nothing else."


@pytest.fixture
def service(settings: Settings) -> Iterator[Smallest]:
    with Smallest() as service:
        settings.VOICE_BACKEND, settings.SMALLEST_BASE_URL = "smallest", service.url
        yield service


@pytest.fixture(autouse=True)
async def _as_at_the_start() -> AsyncIterator[None]:
    paid._standing = paid.Standing()
    yield
    await speaking.stop()
    await paid.settled()
    await query(clips.clear)
    paid._standing = paid.Standing()
    budgets._noted.clear()


async def spoken(text: str = TEXT, talker: Talker | None = None) -> Message:
    """A reply with that text."""
    talker = talker or await query(lambda: Talker(make_site(f"s{uuid.uuid4().hex[:6]}")))
    await query(talker.says, "Hello")
    return await query(talker.gets, text)


async def heard(message: Message, n: int = 0) -> bytes:
    sound = await speaking.sound(message.conversation_id, str(message.id), n, None)
    audio = sound.whole
    if sound.pieces is not None:
        audio = b"".join([piece async for piece in sound.pieces])
    await asyncio.gather(*live._tasks)  # what is spoken ahead has begun, and ended
    await syntheses.settled()
    return audio or b""


async def cost() -> tuple[Decimal, Decimal]:
    await paid.settled()
    row = await query(Spend.objects.filter(scope="whole").first)
    return (dollars(row.spent), dollars(row.held)) if row else (Decimal(0), Decimal(0))


async def test_what_is_spoken_is_paid_for_once_by_its_characters(service: Smallest) -> None:
    reply = await spoken()
    for _ in range(3):
        assert len(await heard(reply)) > 20_000
    assert await cost() == (Decimal("0.195") * len(TEXT) / 10_000, 0)
    assert service.texts == [TEXT]
    visitor = await query(Spend.objects.get, scope="visitor")
    assert dollars(visitor.spent) == Decimal("0.195") * len(TEXT) / 10_000


@pytest.mark.parametrize(("fault", "costs"), [("status 429 60", 0), ("tiny", 1)])
async def test_what_the_service_refuses_costs_nothing(
    service: Smallest, fault: str, costs: int
) -> None:
    service.always = fault
    with pytest.raises(speaking.Silent):
        await heard(await spoken())
    spent, held = await cost()
    assert (spent > 0, held) == (bool(costs), 0)


async def test_when_the_budget_is_spent_one_sentence_says_so(
    service: Smallest, settings: Settings
) -> None:
    settings.CHAT_BUDGET_WHOLE = 0.001
    await heard(await spoken())
    with pytest.raises(speaking.Silent) as silent:
        await heard(await spoken(f"Really, {TEXT}"))
    assert (silent.value.status, silent.value.code) == (429, "budget_spent")
    assert silent.value.message == (
        "The agent's voice has said enough for today; your browser reads on."
    )
    assert len(service.requests) == 1
    await paid.look()
    assert speaking.modes("any")["output"] == "browser"


async def test_when_the_database_does_not_count_nothing_is_spoken(
    service: Smallest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError

    reply = await spoken()
    monkeypatch.setattr(budgets, "reserve", fails)
    with pytest.raises(speaking.Silent, match="budget_spent"):
        await heard(reply)
    assert service.requests == []


async def test_a_voice_that_keeps_failing_is_left_alone(
    service: Smallest, settings: Settings
) -> None:
    settings.CHAT_BREAKER_FAILURES = 2
    service.always = "status 401"
    for n in range(4):
        with pytest.raises(speaking.Silent):
            await heard(await spoken(f"{TEXT} {n}"))
    assert len(service.requests) == 2
    assert speaking.modes("any")["output"] == "browser"
    assert speaking.health()["status"] == "degraded"


async def test_a_text_that_is_refused_says_nothing_of_the_service(
    service: Smallest, settings: Settings
) -> None:
    settings.CHAT_BREAKER_FAILURES = 1
    service.always = "status 400"
    with pytest.raises(speaking.Silent):
        await heard(await spoken())
    assert speaking.health()["status"] == "ok"


# --- The cache ------------------------------------------------------------------------------------


async def test_the_persona_says_how_it_is_spoken(service: Smallest) -> None:
    site: Site = await query(make_site)
    version = site.persona.published
    assert version is not None
    version.voice, version.voice_speed, version.voice_language = "sophie", 1.25, "en"
    await query(version.save)
    await heard(await spoken(talker=Talker(site)))
    body = service.requests[0].body
    assert (body["voice_id"], body["speed"], body["language"]) == ("sophie", 1.25, "en")
    assert body["model"] == "lightning_v3.1_pro"


async def test_the_greeting_sounds_as_the_site_and_a_reply_as_its_visitor(
    service: Smallest,
) -> None:
    talker = await query(lambda: Talker(make_site()))
    reply = await spoken(talker=talker)
    row = await query(talker.row)
    row.locale = "de-AT"
    await query(row.save)
    greeting = await query(row.messages.get, seq=1)
    await heard(greeting)
    await heard(reply)
    assert [each.body["voice_id"] for each in service.requests] == ["kaitlyn", "hanna"]


async def test_what_another_voice_says_is_another_clip() -> None:
    voice = Voice("smallest", "kaitlyn", "lightning_v3.1_pro")
    others = [
        Voice("smallest", "sophie", "lightning_v3.1_pro"),
        Voice("smallest", "kaitlyn", "lightning_v3.1"),
        Voice("smallest", "kaitlyn", "lightning_v3.1_pro", "en"),
        Voice("smallest", "kaitlyn", "lightning_v3.1_pro", "", 1.5),
        Voice("smallest", "kaitlyn", "lightning_v3.1_pro", "", 1.0, "wav"),
        Voice("piper", "kaitlyn", "lightning_v3.1_pro"),
    ]
    assert len({each.key(TEXT) for each in (voice, *others)} | {voice.key("more")}) == 8


def kept(name: str, size: int = 1000, days: int = 0, message: uuid.UUID | None = None) -> str:
    key = name * 64
    clips.keep(key, b"x" * size, format="mp3", characters=10, cost=Decimal("0.5"), message=message)
    used = timezone.now() - timedelta(days=days)
    Clip.objects.filter(key=key).update(used=used)
    return key


def test_the_cache_is_bounded_in_age_and_size(settings: Settings) -> None:
    settings.VOICE_CACHE_DAYS, settings.VOICE_CACHE_MB = 30, 1
    old, young = kept("a", days=31), kept("b", days=29)
    assert clips.trim() == 1
    assert (clips.read(old), clips.read(young)) == (None, b"x" * 1000)
    large = [kept(name, 400_000, days) for name, days in (("c", 3), ("d", 2), ("e", 1))]
    assert clips.trim() == 2  # the longest unheard first: the young one, and the first large
    assert [clips.read(key) is not None for key in (young, *large)] == [False, False, True, True]
    assert clips.figures().size <= 1024 * 1024


def test_hits_are_counted_and_what_they_saved() -> None:
    key = kept("a")
    for _ in range(3):
        clips.note(key, None, hit=True)
    clips.flush(lambda found: found)
    figures = clips.figures()
    assert (figures.clips, figures.hits, figures.saved) == (1, 3, Decimal("1.5"))
    assert str(figures).endswith("heard 3 times from the cache, $1.50 saved")


def test_a_clip_goes_with_the_last_message_that_was_heard_from_it() -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    shared, own, phrase = kept("a", message=first), kept("b", message=first), kept("c")
    clips.note(shared, second, hit=True)
    assert clips.forget([first]) == 1
    clips.flush(lambda found: found)
    assert [clips.read(key) is not None for key in (shared, own, phrase)] == [True, False, True]
    assert clips.forget([second]) == 1
    assert clips.read(shared) is None


def test_what_is_noted_of_a_message_that_is_gone_leaves_nothing() -> None:
    key, gone, erased = kept("a"), uuid.uuid4(), uuid.uuid4()
    clips.note(key, gone, hit=True)
    clips.note(key, erased, hit=True)
    clips.forget([erased])
    clips.flush(lambda found: found - {gone})
    assert not ClipUse.objects.exists()


async def test_what_is_spoken_to_its_end_after_an_erasure_is_not_kept(service: Smallest) -> None:
    talker = await query(lambda: Talker(make_site()))
    reply = await spoken(talker=talker)
    service.always = "hold"
    hearing = asyncio.create_task(heard(reply))
    while not service.requests:  # noqa: ASYNC110 - they come in another thread
        await asyncio.sleep(0.01)
    await query(erasing.erase, talker.visitor)
    service.go.set()
    assert len(await hearing) > 20_000
    assert not await query(Clip.objects.exists)


async def test_pruning_takes_the_sound_along(service: Smallest) -> None:
    talker = await query(lambda: Talker(make_site(keep_days=30)))
    reply = await spoken(talker=talker)
    await heard(reply)
    row = await query(talker.row)
    row.updated = timezone.now() - timedelta(days=60)
    await query(row.save)
    assert (await query(pruning.prune))["conversations"] == 1
    assert not await query(Clip.objects.exists)


async def test_a_site_that_is_deleted_leaves_no_sound_behind_the_next_pruning(
    service: Smallest,
) -> None:
    talker = await query(lambda: Talker(make_site()))
    await heard(await spoken(talker=talker))
    await query(talker.site.delete)
    assert (await query(pruning.prune))["heard segments"] == 1
    assert not await query(Clip.objects.exists)


def test_audio_may_be_kept_in_the_cache(settings: Settings) -> None:
    settings.VOICE_STORAGE = "cache"
    key = kept("a")
    assert clips.read(key) == b"x" * 1000
    clips.clear()
    assert clips.read(key) is None


# --- Commands -------------------------------------------------------------------------------------


def told(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_what_is_said_again_is_spoken_ahead_once(service: Smallest, settings: Settings) -> None:
    settings.CHAT_BACKEND = "guided"
    site = make_site(suggestions=["Do you ship to Norway?"])
    assert site.collection is not None
    Entry.objects.create(
        collection=site.collection, title="Do you ship to Norway?", text="We ship to Norway daily."
    )
    would = told("warm_voice", "--dry-run")
    assert service.texts == []
    assert told("warm_voice") == would.replace("Would speak", "Spoke")
    assert "Hello! What are you looking for?" in service.texts
    assert any("We ship to Norway daily." in text for text in service.texts)
    assert not any("{" in text for text in service.texts)
    assert len(service.texts) == len(set(service.texts)) > 20
    before = len(service.texts)
    assert told("warm_voice").startswith("Spoke 0 segments")
    assert len(service.texts) == before
    personas.publish(personas.save_version(site.persona, greeting="{agent} says hello."))
    assert told("warm_voice").startswith("Spoke 1 segments")
    assert service.texts[before:] == ["Robin says hello."]
    assert told("voice_cache").startswith(f"{before + 1} segments")
    assert told("voice_cache", "--clear").endswith("$0.00 saved.\n")
    assert not Clip.objects.exists()


def test_it_says_why_nothing_is_spoken_ahead(service: Smallest, settings: Settings) -> None:
    make_site()
    service.always = "status 401"
    with pytest.raises(CommandError, match="does not accept the key"):
        told("warm_voice")
    settings.VOICE_BACKEND = "browser"
    with pytest.raises(CommandError, match="Browsers speak"):
        told("warm_voice")


def test_the_service_is_tried_with_the_key_that_is_set(
    service: Smallest, settings: Settings
) -> None:
    said = told("check_voice")
    assert "speaks, streamed: audio/mpeg, first sound after" in said
    assert "hears what it said: 'What does it cost?', 2.0 s" in said
    assert "the catalogue: 8 voices" in said
    service.always = "status 401"
    with pytest.raises(CommandError, match="Not all of it works"):
        told("check_voice")
    settings.SMALLEST_API_KEY = ""
    with pytest.raises(CommandError, match="no SMALLEST_API_KEY"):
        told("check_voice")
