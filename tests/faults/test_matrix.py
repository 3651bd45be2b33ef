"""Every fault at every moment: nothing acknowledged is lost or doubled, and all of it is answered.

`make test` runs each fault at one moment, `make faults` at all four.
"""

import asyncio

import pytest

from tests.faults.faults import (
    CONNECTING,
    IDLE,
    MID_REPLY,
    MODEL,
    MOMENTS,
    POSTGRES,
    PROCESSES,
    REDIS,
    SENDING,
    Fault,
)
from tests.faults.world import ANSWERED_WITHIN, Visitor, World

FAULTS = (*MODEL, *PROCESSES, *REDIS, *POSTGRES)
LONG = " ".join(f"w{n}" for n in range(1, 41))  # what the model says to "[words 40 25]"


def case(fault: Fault, moment: str) -> object:
    marks = [] if moment == fault.moment else [pytest.mark.matrix]
    return pytest.param(fault, moment, id=f"{fault.name}-{moment}", marks=marks)


CASES = [case(fault, moment) for fault in FAULTS for moment in MOMENTS]


def test_the_matrix_is_whole() -> None:
    """Each fault is in what `make test` tries, and each moment as well."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {fault.moment for fault in FAULTS} == set(MOMENTS)


@pytest.mark.parametrize(("fault", "moment"), CASES)
async def test_nothing_is_lost(world: World, fault: Fault, moment: str) -> None:
    visitor = Visitor(world)
    act = {IDLE: idle, CONNECTING: connecting, SENDING: sending, MID_REPLY: mid_reply}[moment]
    try:
        await act(world, visitor, fault)
        await visitor.settled()
        judge(visitor, fault, moment)
        after = visitor.first.say("[words 3 5] and now that all is well")
        messages = await visitor.checked()
        asked = next(m for m in messages if m.get("client_id") == after.client_id)
        answer = next(m for m in messages if m.get("reply_to") == asked["id"])
        assert (answer["state"], answer["text"]) == ("complete", "w1 w2 w3")
        await world.whole()
    finally:
        await visitor.close()


# --- The moments ----------------------------------------------------------------------------------


async def acquainted(visitor: Visitor) -> None:
    """Both tabs are open, and something was said and answered."""
    visitor.open()
    visitor.first.say("[words 2 5]")
    await visitor.settled()


async def broken(world: World, fault: Fault) -> None:
    await fault.strike(world)
    await asyncio.sleep(fault.hold)
    await fault.mend(world)


async def idle(world: World, visitor: Visitor, fault: Fault) -> None:
    """It strikes while nothing happens; then somebody says something."""
    await acquainted(visitor)
    await fault.strike(world)
    world.model.requests.clear()
    visitor.first.say(at_once(fault))
    await asyncio.sleep(fault.hold)
    if fault in MODEL:
        await visitor.settled()
        if fault.markers:
            assert 1 <= len(world.model.requests) <= 2, "asked, and once more at most"
    await fault.mend(world)


async def connecting(world: World, visitor: Visitor, fault: Fault) -> None:
    """It strikes while both tabs open, with words that wait to be sent."""
    visitor.first.say(at_once(fault))
    striking = asyncio.create_task(fault.strike(world))
    await asyncio.sleep(world.rng.uniform(0, 0.03))
    visitor.open()
    await striking
    await asyncio.sleep(fault.hold)
    if fault in MODEL:
        await visitor.settled()
    await fault.mend(world)


async def sending(world: World, visitor: Visitor, fault: Fault) -> None:
    """It strikes while messages are on their way, from both tabs."""
    await acquainted(visitor)
    if fault in MODEL:
        await fault.strike(world)
    for tab in (visitor.first, visitor.first, visitor.second):
        tab.say(at_once(fault))
    if fault not in MODEL:
        await asyncio.sleep(world.rng.uniform(0, 0.02))
        await broken(world, fault)
    else:
        await visitor.settled()
        await fault.mend(world)


async def mid_reply(world: World, visitor: Visitor, fault: Fault) -> None:
    """It strikes when both tabs have seen words of a reply."""
    await acquainted(visitor)
    if fault in MODEL and not fault.cut_short:
        # It answers with a tool, and breaks when it is asked what to make of the result.
        world.model.queue.append('[say Let me note that.] [tool save_lead {"name": "Ann"}]')
    if fault.markers:
        await fault.strike(world)
        world.model.always = fault.markers.format(8)
    said = visitor.first.say("[words 40 25] My name is Ann.")
    for tab in visitor.tabs:
        await tab.until(lambda tab=tab: words_seen(tab) >= 3, ANSWERED_WITHIN, "words come")
    if fault.markers:
        await visitor.settled()
        await fault.mend(world)
    else:
        await broken(world, fault)
    assert said.text


def at_once(fault: Fault) -> str:
    """What a visitor says that meets the fault before any word."""
    return f"{fault.markers.format(0) or '[words 4 5]'} please"


def words_seen(tab: object) -> int:
    """How many words the latest reply shows."""
    replies = [m for m in tab.copy.all() if m.get("reply_to")]  # type: ignore[attr-defined]
    return len(replies[-1]["text"].split()) if len(replies) > 1 else 0


# --- What the visitor is left with ----------------------------------------------------------------


def judge(visitor: Visitor, fault: Fault, moment: str) -> None:
    """The last reply is as good as the fault allows."""
    last = visitor.replies()[-1]
    if fault in MODEL and moment == MID_REPLY:
        assert last["state"] == "failed", "words were shown: they stay, and it says so"
        assert last["text"]
        whole = LONG if fault.cut_short else "Let me note that."
        assert whole.startswith(last["text"])
    elif fault in MODEL:
        assert last["state"] == "complete", "nothing was shown: another one answers"
    elif fault.outage and last["state"] == "failed":
        assert last["error"]["code"] == "try_again"
    elif moment == MID_REPLY:
        assert (last["state"], last["text"]) == ("complete", LONG)
    else:
        assert (last["state"], last["text"]) == ("complete", "w1 w2 w3 w4")
