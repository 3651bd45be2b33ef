"""The protocol as a state machine: whatever happens, the invariants of `docs/testing.md` hold.

Visitors with several tabs talk over lines that lose, double, delay and cut, to a process that is
killed and stopped anywhere, on a database that goes away and loses its answers. Time is simulated:
an hour of silence costs nothing. `EXAMPLES` says how many lives are tried, other ones each time;
without it the suite tries the same three hundred.
"""

import os
import random
import uuid
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chat import tokens
from chat.models import Conversation, Message, Site
from tests.base import check_numbers, make_site
from tests.follower import Follower, Said
from tests.simulation import Simulation, Weather
from tests.transcript import row

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))
SAME = "EXAMPLES" not in os.environ
WITHIN = 75.0  # seconds in which an acknowledged message is answered
COME_BACK = 45.0  # ... after the longest pause before a client tries again
SAYS = (
    "/words 30 60",
    "/words 5 10",
    "/words 200 20",
    "/say ünï 😀😀 code",
    "/flaky 1",
    "/fail",
    "/fail-after 4",
    "/refuse",
    "/stall 3",
    "/stall",
    "/empty",
    "hello there",
)
people = st.integers(0, 1)
tabs = st.integers(0, 1)
pauses = st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5, 2.0])


class Person:
    """A visitor and their tabs."""

    def __init__(self, world: Simulation, name: str, site: Site) -> None:
        self.world = world
        self.name = name
        self.identity = tokens.Identity(site.key, _id(world.rng), _id(world.rng))
        self.token = tokens.issue(self.identity)
        self.tabs: list[Follower] = []
        self.add()

    def add(self) -> None:
        tab = Follower(
            dial=self.world.dial,
            hello=lambda: {"token": self.token},
            rng=random.Random(self.world.rng.random()),
            twice=True,
        )
        self.tabs.append(tab)

        async def start() -> None:
            tab.start()

        self.world.do(start())

    def tab(self, number: int) -> Follower:
        return self.tabs[number % len(self.tabs)]

    @property
    def said(self) -> list[Said]:
        return [said for tab in self.tabs for said in tab.said]


def _id(rng: random.Random) -> uuid.UUID:
    return uuid.UUID(int=rng.getrandbits(128), version=4)


class Machine(RuleBasedStateMachine):
    """What may happen. Each rule lets some time pass, so that the next one meets it half done."""

    site: Site
    patch: pytest.MonkeyPatch

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.world = Simulation(seed)
        self.context = self.patch.context()
        self.living = self.world.installed(self.context.__enter__())
        self.living.__enter__()
        self.world.start()
        self.starts = 1
        self.people = [Person(self.world, name, self.site) for name in ("Ann", "Bob")]

    # --- What visitors do -----------------------------------------------------------------------

    @rule(who=people, tab=tabs, text=st.sampled_from(SAYS), pause=pauses)
    def says(self, who: int, tab: int, text: str, pause: float) -> None:
        person = self.people[who]
        words = f"{text} {person.name}" if text.startswith("/say") else text
        self._act(lambda: person.tab(tab).say(words), pause)

    @rule(who=people, tab=tabs, act=st.sampled_from(["stop", "again", "like"]), pause=pauses)
    def acts_on_the_last_reply(self, who: int, tab: int, act: str, pause: float) -> None:
        client = self.people[who].tab(tab)
        replies = [m for m in client.copy.all() if m.get("reply_to")]
        if not replies:
            return
        last = replies[-1]
        frame: dict[str, Any] = {
            "stop": {"type": "stop"},
            "again": {"type": "regenerate", "attempt": last["attempt"]},
            "like": {"type": "feedback", "value": 1},
        }[act]
        self._act(lambda: client.do({**frame, "message": last["id"]}), pause)

    @rule(who=people, tab=tabs, pause=pauses)
    def begins_anew(self, who: int, tab: int, pause: float) -> None:
        self._act(lambda: self.people[who].tab(tab).do({"type": "restart"}), pause)

    @rule(who=people, pause=pauses)
    def opens_a_tab(self, who: int, pause: float) -> None:
        if len(self.people[who].tabs) < 2:
            self.people[who].add()
        self.world.run(pause)

    # --- What happens to them -------------------------------------------------------------------

    @rule(
        lost=st.sampled_from([0, 5, 30]),
        doubled=st.sampled_from([0, 5, 30]),
        delay=st.sampled_from([0.0, 0.05, 1.0]),
    )
    def the_weather_turns(self, lost: int, doubled: int, delay: float) -> None:
        self.world.weather = Weather(lost, doubled, delay)

    @rule(pause=pauses, silent=st.booleans(), most=st.integers(1, 3))
    def lines_are_cut(self, pause: float, silent: bool, most: int) -> None:
        lines = sorted(self.world.lines, key=id)
        for line in self.world.rng.sample(lines, min(most, len(lines))):
            if silent:
                line.frozen = True
            else:
                line.gone(1006)
        self.world.run(pause)

    @precondition(lambda self: self.world.life is not None)
    @rule(gently=st.booleans(), away=st.sampled_from([0.0, 0.5, 5.0, 20.0]))
    def the_process_ends(self, gently: bool, away: float) -> None:
        if gently:
            self.world.terminate()
        else:
            self.world.kill()
        self.world.run(away)
        self.world.start()
        self.starts += 1

    @rule(away=st.sampled_from([0.05, 0.5, 3.0, 8.0]), pause=pauses)
    def the_database_goes_away(self, away: float, pause: float) -> None:
        self.world.database_back = self.world.loop.time() + away
        self.world.run(pause)

    @rule(shaky=st.sampled_from([0, 3, 20]))
    def answers_of_the_database_are_lost(self, shaky: int) -> None:
        self.world.shaky = shaky

    @rule(seconds=st.sampled_from([0.02, 0.3, 1.0, 5.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.run(seconds)

    def _act(self, act: Any, pause: float) -> None:
        async def now() -> None:
            act()

        self.world.do(now())
        self.world.run(pause)
        for person in self.people:
            for tab in person.tabs:
                tab.check()

    # --- What must hold -------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "people"):
            return
        try:
            self._calm()
            for person in self.people:
                self._acknowledged(person)
                self._answered(person)
                self._alike(person)
            self._asked_no_more_than_allowed()
        finally:
            self.world.close()
            self.living.__exit__(None, None, None)
            self.context.__exit__(None, None, None)
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    def _calm(self) -> None:
        """The weather clears, the database is back: within its times all is in order."""
        self.world.weather = Weather()
        self.world.database_back = 0.0
        self.world.shaky = 0
        for line in [line for line in self.world.lines if line.frozen]:
            line.gone(1006)  # else a client hears of it within thirty seconds
        self.world.run(0.1)  # so that it has heard: until then it takes itself for ready
        waited = 0.0
        while waited < COME_BACK + WITHIN and not self._quiet():
            self.world.run(1.0)
            waited += 1.0
        self.world.run(25.0)  # a heartbeat more: nothing changes any more

    def _quiet(self) -> bool:
        tabs = [tab for person in self.people for tab in person.tabs]
        said = [said for person in self.people for said in person.said]
        return (
            all(tab.broken or tab.ready for tab in tabs)
            and all(each.acknowledged is not None or each.refused for each in said)
            and not Message.objects.open().exists()
            and not Conversation.objects.filter(awaiting_since__isnull=False).exists()
        )

    def _acknowledged(self, person: Person) -> None:
        """I1, I2: each message is there once, and nothing else."""
        for tab in person.tabs:
            tab.check()
            assert tab.ready, (tab.closes[-10:], tab.refusals[-10:], self.world.loop.time())
        assert [said.text for said in person.said if said.acknowledged is None] == []
        kept = Message.objects.filter(visitor_id=person.identity.visitor, role="visitor")
        assert sorted(kept.values_list("client_id", flat=True)) == sorted(
            said.client_id for said in person.said
        )

    def _answered(self, person: Person) -> None:
        """I4, I6: no hole in `seq`, no reply left open, nothing left unanswered."""
        for talk in Conversation.objects.filter(visitor_id=person.identity.visitor):
            check_numbers(talk)
            messages = list(talk.messages.order_by("seq"))
            assert all(message.state != "streaming" for message in messages)
            if talk.state != "open":
                continue
            assert talk.awaiting_since is None
            last = max((m.seq for m in messages if m.role == "visitor"), default=0)
            replies = [m for m in messages if m.reply_to_id]
            assert not last or replies[-1].reply_to.seq == last
            for reply in replies:
                assert reply.state in ("complete", "interrupted", "failed")
                assert reply.state != "failed" or reply.error_text

    def _alike(self, person: Person) -> None:
        """I3, I8: every tab shows what the database holds of this visitor, and nobody else's."""
        talk = (
            Conversation.objects.filter(visitor_id=person.identity.visitor)
            .exclude(state="closed")
            .first()
        )
        stored = [row(m.as_frame()) for m in talk.messages.order_by("seq")] if talk else []
        other = "Bob" if person.name == "Ann" else "Ann"
        for tab in person.tabs:
            assert tab.copy.rows() == stored
            assert talk is None or tab.copy.rev == talk.rev
            assert other not in str(tab.copy.rows())

    def _asked_no_more_than_allowed(self) -> None:
        """I7: for each attempt at a reply two requests, and one that was begun in vain."""
        replies = Message.objects.filter(reply_to__isnull=False)
        attempts = sum(replies.values_list("attempt", flat=True))
        said = sum(len(person.said) for person in self.people)
        assert self.world.asked <= 2 * (attempts + said + self.starts)


@pytest.mark.timeout(600 + 4 * EXAMPLES)
def test_the_protocol_holds(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Machine.site, Machine.patch = make_site(), monkeypatch
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            database=None,
            derandomize=SAME,
            phases=[Phase.generate, Phase.shrink],  # explaining would trace every line
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
