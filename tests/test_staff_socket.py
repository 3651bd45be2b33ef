"""The staff's socket between real processes: who may open it, and what both sides see."""

import asyncio
import uuid
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import MakeStack
from tests.servers import Stack
from tests.staffer import Staffer, hired


@pytest.fixture(scope="module")
def pair(session_stack: MakeStack) -> tuple[Stack, dict[str, str]]:
    """Two processes, and people: Vera and Omar, a lead, somebody of another site, a temp."""
    made = session_stack("postgres", servers=2, redis=True)
    made.manage("seed_demo", "--password", "none-staff")
    shop = "from chat.models import Persona, Site\n"
    shop += "Site.objects.create(key='other', name='Other', persona=Persona.objects.first())"
    made.manage("shell", "-v", "0", "-c", shop)
    people = hired(
        made,
        vera={},
        omar={},
        lena={"group": "Sales lead"},
        otto={"sites": ["other"]},
        temp={"group": "nobody"},
    )
    return made, people


async def talking(stack: Stack, text: str = "/say Hello.") -> tuple[Client, str]:
    """A visitor on the first process, and the conversation's id."""
    visitor = await Client.open(stack.servers[0])
    await visitor.say(text)
    status = visitor.frames[0]
    return visitor, str(status["conversation"]["id"])


def from_agent(frame: dict[str, Any]) -> bool:
    return frame["type"] == "message" and frame["message"]["role"] == "agent"


def state(wanted: str) -> Any:
    return lambda frame: frame["type"] == "status" and frame["conversation"]["state"] == wanted


async def seen(client: Client, wanted: Any) -> dict[str, Any]:
    """The first frame for which `wanted` is true, also where it has been passed."""
    found = [frame for frame in client.frames if wanted(frame)]
    return found[0] if found else await client.until(wanted)


async def test_a_person_takes_over_from_another_process(pair: Any) -> None:
    stack, people = pair
    visitor, talk = await talking(stack, "/words 500 40")
    await visitor.until("delta")
    vera = await Staffer.at(stack.servers[1], people["vera"])
    assert (await vera.until("ready"))["name"] == "vera"
    await vera.watches(talk)
    await vera.until("delta")  # the words of the other process, as they come
    await visitor.send({"type": "typing", "on": True})
    await vera.until(lambda f: f["type"] == "typing" and f["role"] == "visitor")
    await vera.takes(talk)
    assert (await vera.until(state("human")))["speaker"] == {"name": "vera", "you": True}
    assert (await seen(visitor, state("human")))["state"] == "human"
    ended = await seen(visitor, lambda f: from_agent(f) and f["message"]["state"] == "interrupted")
    shown = visitor.shown(ended["message"]["id"])
    assert shown == ended["message"]["text"]
    assert 0 < len(shown.split()) < 500
    # From now on the agent is silent, and a person speaks by name.
    await visitor.acknowledged(await visitor.say("Are you there?"))
    await vera.until(lambda f: f["type"] == "message" and f["message"]["text"] == "Are you there?")
    await vera.until(lambda f: f["type"] == "news" and f["kind"] == "said")
    await vera.send({"type": "typing", "conversation": talk, "on": True})
    await visitor.until(lambda f: f["type"] == "typing" and f["role"] == "staff")
    id = await vera.says(talk, "I am.")
    said = await visitor.until(lambda f: f["type"] == "message" and f["message"]["id"] == id)
    assert (said["message"]["name"], said["message"]["role"]) == ("vera", "staff")
    await vera.says(talk, "I am.", id)  # once more: nothing new
    await vera.hands_back(talk, "She is in a hurry.")
    await visitor.until(state("open"))
    await visitor.say("/say Here again.")
    assert (await visitor.reply())["text"] == "Here again."
    shapes = [frame["message"] for frame in visitor.frames if frame["type"] == "message"]
    messages = {shape["id"]: shape for shape in shapes}
    assert sum(m["role"] == "staff" for m in messages.values()) == 1
    assert [m["seq"] for m in messages.values()] == list(range(1, len(messages) + 1))
    await visitor.close()
    await vera.close()


async def test_of_two_at_once_one_gets_it(pair: Any) -> None:
    stack, people = pair
    visitor, talk = await talking(stack)
    await visitor.reply()
    both = [
        await Staffer.at(server, people[name])
        for server, name in zip(stack.servers, ("vera", "omar"), strict=True)
    ]
    await asyncio.gather(*(one.watches(talk) for one in both))
    await asyncio.gather(*(one.takes(talk) for one in both))
    told = [await one.until(state("human")) for one in both]
    assert sorted(frame["speaker"]["you"] for frame in told) == [False, True]
    loser = both[0 if told[1]["speaker"]["you"] else 1]
    refused = [frame for frame in loser.frames if frame["type"] == "error"]
    assert [frame["code"] for frame in refused or [await loser.until("error")]] == ["busy"]
    await visitor.until(state("human"))
    shown = [frame["message"] for frame in visitor.frames if frame["type"] == "message"]
    assert sum(message["role"] == "system" for message in shown) == 1
    for one in (visitor, *both):
        await one.close()


async def test_a_lead_hands_back_what_another_has_taken_and_no_one_else_does(pair: Any) -> None:
    stack, people = pair
    visitor, talk = await talking(stack)
    await visitor.reply()
    vera, omar, lena = [
        await Staffer.at(stack.servers[0], people[name]) for name in ("vera", "omar", "lena")
    ]
    await vera.watches(talk)
    await vera.takes(talk)
    await vera.until(state("human"))
    await omar.hands_back(talk)
    assert (await omar.until("error"))["code"] == "not_allowed"
    await omar.says(talk, "Me too")
    assert (await omar.until("error"))["code"] == "not_allowed"
    await lena.hands_back(talk)
    await vera.until(state("open"))
    for one in (visitor, vera, omar, lena):
        await one.close()


@pytest.mark.parametrize(
    ("name", "origin", "code"),
    [
        ("vera", "https://evil.example", 4403),
        ("vera", None, 4403),
        ("vera", "null", 4403),
        ("", "", 4401),
        ("nobody", "", 4401),
        ("temp", "", 4401),
    ],
)
async def test_the_door(pair: Any, name: str, origin: str | None, code: int) -> None:
    stack, people = pair
    staffer = await Staffer.at(stack.servers[0], people.get(name, name), origin=origin)
    assert await staffer.closed() == code
    assert staffer.frames == []


async def test_another_sites_conversation_is_not_there(pair: Any) -> None:
    stack, people = pair
    visitor, talk = await talking(stack)
    await visitor.reply()
    otto = await Staffer.at(stack.servers[0], people["otto"])
    for frame in (
        {"type": "watch", "conversation": talk, "rev": 0},
        {"type": "take", "conversation": talk},
        {"type": "say", "conversation": talk, "id": str(uuid.uuid4()), "text": "x"},
        {"type": "typing", "conversation": talk, "on": True},
        {"type": "back", "conversation": talk},
        {"type": "watch", "conversation": str(uuid.uuid4()), "rev": 0},
    ):
        await otto.send(frame)
        assert (await otto.until("error"))["code"] == "not_found", frame
    assert [f["type"] for f in otto.frames if f["type"] in ("status", "message", "news")] == []
    await visitor.close()
    await otto.close()


async def test_who_is_logged_out_hears_no_more(pair: Any) -> None:
    stack, _ = pair
    session = hired(stack, gone={})["gone"]
    visitor, talk = await talking(stack)
    await visitor.reply()
    gone = await Staffer.at(stack.servers[0], session)
    await gone.watches(talk)
    ended = "from django.contrib.sessions.models import Session\n"
    ended += f"Session.objects.get(pk={session!r}).delete()"
    stack.manage("shell", "-v", "0", "-c", ended)
    await gone.takes(talk)
    assert await gone.closed() == 4401
    again = await visitor.say("/say Still the agent.")
    await visitor.acknowledged(again)
    assert (await visitor.reply())["text"] == "Still the agent."
    await visitor.close()


async def test_who_may_not_take_over_may_watch(pair: Any) -> None:
    stack, _ = pair
    session = hired(stack, reader={"group": "readers"})["reader"]
    give = (
        "from django.contrib.auth.models import Permission as P, User\n"
        "User.objects.get(username='reader').user_permissions.add("
        "P.objects.get(codename='view_conversation'))"
    )
    stack.manage("shell", "-v", "0", "-c", give)
    visitor, talk = await talking(stack)
    await visitor.reply()
    reader = await Staffer.at(stack.servers[0], session)
    assert (await reader.watches(talk))["messages"]
    for frame in (
        {"type": "take", "conversation": talk},
        {"type": "say", "conversation": talk, "id": str(uuid.uuid4()), "text": "x"},
        {"type": "typing", "conversation": talk, "on": True},
        {"type": "back", "conversation": talk},
    ):
        await reader.send(frame)
        assert (await reader.until("error"))["code"] == "not_allowed"
    await visitor.close()
    await reader.close()


async def test_broken_frames_close_the_line(pair: Any) -> None:
    stack, people = pair
    vera = await Staffer.at(stack.servers[0], people["vera"])
    for raw in ("{", "[]", '{"type": "connect"}'):
        await vera.send(raw)
    assert await vera.closed() == 4400
    assert [f["code"] for f in vera.frames if f["type"] == "error"] == ["bad_frame"] * 3
