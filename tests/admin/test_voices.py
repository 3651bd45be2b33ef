"""Staff choose a voice, listen to it and to what visitors heard; voice and model fit."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from chat.models import Persona, PersonaVersion, Site
from chat.money import Spend
from tests.admin.desk import page, talk, transcript
from tests.smallest import Smallest
from voice import catalogue, clips
from voice.models import ClipUse, CustomVoice

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Robin", "agent_name": "Robin", "instructions": "Sell well.", "avatar": "", "note": "",
    "model": "", "temperature": "", "reply_tokens": "",
    "voice": "", "voice_model": "", "voice_language": "", "voice_speed": "",
}  # fmt: skip
LISTEN = "/admin/voice/clip/listen/"


@pytest.fixture
def service(settings: Settings) -> Iterator[Smallest]:
    cache.clear()
    with Smallest() as service:
        settings.VOICE_BACKEND, settings.SMALLEST_BASE_URL = "smallest", service.url
        yield service
    cache.clear()


def saved(staff: Client, site: Site, **chosen: Any) -> str:
    """Saves the persona; the page that follows, or the form with its errors."""
    address = reverse("admin:chat_persona_change", args=[site.persona_id])
    return staff.post(address, {**FORM, **chosen}, follow=True).content.decode()


def newest(site: Site) -> PersonaVersion:
    found = Persona.objects.get(pk=site.persona_id).versions.first()
    assert found is not None
    return found


def test_a_persona_says_how_it_sounds(staff: Client, site: Site, service: Smallest) -> None:
    saved(staff, site, voice="sophie", voice_language="en", voice_speed="1.25")
    version = newest(site)
    assert (version.voice, version.voice_language, version.voice_speed) == ("sophie", "en", 1.25)
    shown = page(staff, "chat_persona_change", site.persona_id)
    assert 'value="sophie"' in shown
    assert '<option value="hanna">Hanna german german female</option>' in shown
    assert "data-listen" in shown


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"voice": "sophie", "voice_model": "lightning_v3.1"}, "is no voice of the model"),
        ({"voice": "magnus"}, "is no voice of the model"),
        ({"voice": "nobody"}, "no such voice"),
        ({"voice_speed": "3"}, "less than or equal to 2"),
        ({"voice": "magnus", "voice_model": "lightning_v3.1"}, ""),
        ({"voice": "sophie", "voice_model": "lightning_v3.1_pro_10_26"}, ""),
    ],
)
def test_voice_and_model_fit_each_other(
    staff: Client, site: Site, service: Smallest, chosen: dict[str, str], says: str
) -> None:
    shown = saved(staff, site, **chosen)
    assert (says in shown) if says else newest(site).number == 2


def test_without_the_catalogue_a_persona_can_still_be_saved(
    staff: Client, site: Site, service: Smallest
) -> None:
    service.always = "status 500"
    saved(staff, site, voice="sophie")
    assert newest(site).voice == "sophie"


def test_a_sample_is_spoken_paid_for_once_and_kept(
    staff: Client, site: Site, service: Smallest
) -> None:
    for _ in range(2):
        answer = staff.post(LISTEN, {"voice": "sophie", "voice_speed": "1.5"})
        assert (answer.status_code, answer["Content-Type"]) == (200, "audio/mpeg")
        assert len(answer.content) > 10_000
    spoken = [each.body for each in service.requests if "text" in each.body]
    assert [(each["voice_id"], each["speed"]) for each in spoken] == [("sophie", 1.5)]
    assert Spend.objects.get(scope="whole").spent > 0
    clips.clear()


@pytest.mark.parametrize(
    ("asked", "fault", "status", "says"),
    [
        ({"voice": "magnus"}, "", 400, "is no voice of the model"),
        ({"voice": "sophie"}, "status 401", 503, "does not accept the key"),
        ({"voice": "sophie"}, "tiny", 503, "no whole audio"),
    ],
)
def test_where_there_is_no_sample_a_sentence_says_why(
    staff: Client, service: Smallest, asked: dict[str, str], fault: str, status: int, says: str
) -> None:
    catalogue.entries()
    catalogue.own()
    service.always = fault
    answer = staff.post(LISTEN, asked)
    assert answer.status_code == status
    assert says in answer.content.decode()


def test_samples_stop_with_the_budget(staff: Client, service: Smallest, settings: Settings) -> None:
    settings.CHAT_BUDGET_WHOLE = 0
    answer = staff.post(LISTEN, {})
    assert (answer.status_code, answer.content.decode()) == (
        429, "Nothing may be paid for now: see Spending.",
    )  # fmt: skip
    assert service.texts == []


def test_the_catalogue_is_searched_and_fetched_once(staff: Client, service: Smallest) -> None:
    for asked, found in (
        ("german fem", {"hanna"}),
        ("uk", {"sophie"}),
        ("male us", {"blake", "magnus"}),
        ("nobody", set()),
    ):
        shown = page(staff, "voice_clip_catalogue", q=asked)
        assert {name for name in ("hanna", "sophie", "blake", "magnus", "max")
                if f"<code>{name}</code>" in shown} == found  # fmt: skip
    assert sum(each.path.endswith("get_voices") for each in service.requests) == 1


def test_a_catalogue_that_does_not_come_says_why(staff: Client, service: Smallest) -> None:
    service.always = "status 401"
    assert "check SMALLEST_API_KEY" in page(staff, "voice_clip_catalogue")


def test_the_transcript_plays_what_the_visitor_heard(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    reply = row.messages.get(reply_to__isnull=False)
    assert "data-listen" not in transcript(staff, row)
    clips.keep(
        "0123456789abcdef" * 4,
        b"sound",
        format="mp3",
        characters=1,
        cost=Decimal(0),
        message=reply.pk,
        n=1,
    )
    address = reverse("admin:voice_clip_heard", args=[reply.pk])
    assert f'data-listen="{address}"' in transcript(staff, row)
    answer = staff.post(address, {"n": "1"})
    assert (answer.content, answer["Content-Type"]) == (b"sound", "audio/mpeg")
    assert staff.post(address, {"n": "0"}).status_code == 404
    assert staff.post(address, {"n": "x"}).status_code == 404
    unheard = reverse("admin:voice_clip_heard", args=[uuid.uuid4()])
    assert staff.post(unheard, {"n": "1"}).status_code == 404
    clips.clear()
    assert not ClipUse.objects.exists()


def test_the_cache_tells_what_it_saves(staff: Client) -> None:
    clips.keep("0123456789abcdef" * 4, b"sound", format="mp3", characters=1, cost=Decimal("0.5"))
    for _ in range(3):
        clips.note("0123456789abcdef" * 4, None, hit=True)
    clips.flush(lambda found: found)
    shown = page(staff, "voice_clip_changelist")
    assert "1 segments, heard 3 times from here" in shown
    assert "$1.50 saved" in shown
    clips.clear()


# --- Custom voices --------------------------------------------------------------------------------

ADD = "/admin/voice/customvoice/add/"


def recording(name: str = "ada.wav", size: int = 1000) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"RIFF" + bytes(size))


def made(root: Client, **chosen: Any) -> str:
    form = {
        "name": "Ada", "language": "en", "model": "lightning-v3.1-pro", "speaker": "Ada Byron",
        "agreed": "on", "recording": recording(), **chosen,
    }  # fmt: skip
    return root.post(ADD, form, follow=True).content.decode()


def test_a_voice_is_made_used_and_deleted(root: Client, site: Site, service: Smallest) -> None:
    made(root)
    voice = CustomVoice.objects.get()
    assert (voice.by, voice.speaker, voice.voice_id) == ("root", "Ada Byron", "voice_0001")
    assert "completed" in page(root, "voice_customvoice_changelist")
    saved(root, site, voice=voice.voice_id)
    assert newest(site).voice == voice.voice_id
    assert "is no voice of the model" in saved(
        root, site, voice=voice.voice_id, voice_model="lightning_v3.1"
    )
    root.post(f"/admin/voice/customvoice/{voice.pk}/delete/", {"post": "yes"})
    assert not CustomVoice.objects.exists()
    assert service.clones == {}


@pytest.mark.parametrize(
    ("chosen", "fault", "says"),
    [
        ({"agreed": ""}, "", "required"),
        ({"recording": recording("ada.txt")}, "", "At most 5 MB"),
        ({"recording": recording(size=5 * 1024 * 1024)}, "", "At most 5 MB"),
        ({}, "status 403", "plan is used up"),
    ],
    ids=["no consent", "no audio", "too large", "refused"],
)
def test_what_makes_no_voice_says_why_and_stores_nothing(
    root: Client, service: Smallest, chosen: dict[str, Any], fault: str, says: str
) -> None:
    service.always = fault
    assert says in made(root, **chosen)
    assert not CustomVoice.objects.exists()
    assert service.clones == {}


def test_a_voice_that_the_service_keeps_is_kept_here(root: Client, service: Smallest) -> None:
    made(root)
    catalogue.own()
    catalogue.entries()
    service.always = "status 500"
    voice = CustomVoice.objects.get()
    shown = root.post(
        f"/admin/voice/customvoice/{voice.pk}/delete/", {"post": "yes"}, follow=True
    ).content.decode()
    assert "is still there" in shown
    assert CustomVoice.objects.exists()
