"""The line to other processes: small events over the channel layer, each of which may get lost.

Whoever must know has the database. A process that hears of no other keeps its events to itself: to
publish what nobody reads, and to read its own again, was a seventh of a turn on the event loop.
"""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from chat import metrics

logger = logging.getLogger(__name__)

EVERYBODY = "processes"
REST = 1.0  # seconds
HERE = 5.0  # seconds between two signs of life
ALONE = 4 * HERE  # seconds: nobody else has given one, and our own came back

Event = Mapping[str, Any]


class Layer:
    """What this process, `name`, says to others and `heard` from them.

    `joined` are the conversations that it has sockets in, and wants to hear of.
    """

    def __init__(
        self,
        name: str,
        joined: Collection[uuid.UUID],
        heard: Callable[[Event], Awaitable[None]],
        spawn: Callable[[Any], "asyncio.Task[Any]"],
    ) -> None:
        self.waiting = 0  # calls under way
        self.degraded = False  # it does not answer
        self.subscribed: set[uuid.UUID] = set()
        self._name = name
        self._joined = joined
        self._heard = heard
        self._spawn = spawn
        self._layer: Any = None
        self._channel = ""
        self._rest_until = 0.0  # monotonic seconds: one that is down is not asked at once again
        self._others = math.inf  # monotonic seconds: when another process was last known of,
        self._echo = -math.inf  # ... and when our own sign of life came back

    def start(self) -> None:
        """Opens the line, where there can be other processes."""
        layer = get_channel_layer()
        if layer is None or isinstance(layer, InMemoryChannelLayer):
            return
        self._layer = layer
        self._others = time.monotonic()
        self._spawn(self._listen())
        self._spawn(self._give_signs())

    # --- Saying ---------------------------------------------------------------------------------

    @property
    def alone(self) -> bool:
        """Whether nobody else would hear an event. Where that is not sure, somebody would."""
        now = time.monotonic()
        return now - self._echo < 2.5 * HERE and now - self._others > ALONE

    def tell(self, conversation: uuid.UUID, event: Event) -> None:
        """To all processes that have a socket in a conversation."""
        self._send(_talk(conversation), {**event, "conversation": conversation.hex})

    def ask(self, process: str, event: Event) -> None:
        """To one other process."""
        self._send(_mailbox(process), event)

    def send_all(self, event: Event) -> None:
        """To all other processes."""
        self._send(EVERYBODY, event)

    async def ask_all(self, event: Event) -> None:
        """To all, and waits until it has gone."""
        if self._layer is not None:
            await self._publish(EVERYBODY, event)

    def _send(self, group: str, event: Event) -> None:
        """Nobody waits for it."""
        if self._layer is not None and not self.alone:
            self._spawn(self._publish(group, event))

    async def _publish(self, group: str, event: Event) -> bool:
        return await self._try("group_send", group, {**event, "from": self._name})

    async def answers(self) -> bool:
        """Whether the layer takes an event within a second."""
        if self._layer is None:
            return True
        self._rest_until = 0.0
        return await self._try("group_send", "health", {"type": "health"}, patience=1.0)

    async def _give_signs(self) -> None:
        while True:
            await self.ask_all({"type": "here"})
            await asyncio.sleep(HERE)

    # --- Hearing --------------------------------------------------------------------------------

    async def follow(self, conversation: uuid.UUID) -> None:
        """From now on this process hears what others do to a conversation."""
        if self._channel and conversation not in self.subscribed:
            subscribing = self._spawn(self._subscribe(conversation))
            if not self.degraded:  # usually a millisecond; a Redis that hangs holds nobody up
                await asyncio.wait({subscribing}, timeout=0.25)

    def forget(self, conversation: uuid.UUID) -> None:
        """No socket here is in it any more."""
        if conversation in self.subscribed:
            self._spawn(self._subscribe(conversation))

    async def _subscribe(self, conversation: uuid.UUID) -> None:
        """Hears of it for as long as a socket here wants that."""
        wanted = conversation in self._joined
        while wanted != (conversation in self.subscribed):
            call = "group_add" if wanted else "group_discard"
            if not await self._try(call, _talk(conversation), self._channel):
                return  # every heartbeat tries again
            change = self.subscribed.add if wanted else self.subscribed.discard
            change(conversation)
            wanted = conversation in self._joined

    async def _listen(self) -> None:
        """Reads this process's channel; opens it again for as long as that takes."""
        while True:
            try:
                self._channel = await self._layer.new_channel()
                wanted = set(self._joined)
                for group in (EVERYBODY, _mailbox(self._name), *map(_talk, wanted)):
                    await self._layer.group_add(group, self._channel)
                self.subscribed = wanted
                self.degraded = False
                while True:
                    await self._take(await self._layer.receive(self._channel))
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self._failed(error)
                await asyncio.sleep(1)

    async def _take(self, event: Event) -> None:
        sign = event["type"] == "here"
        if event.get("from") != self._name:
            self._others = time.monotonic()
            if not sign:
                await self._heard(event)
        elif sign:
            self._echo = time.monotonic()

    async def _try(self, call: str, *args: Any, patience: float = 3.0) -> bool:
        """Calls the layer. Where it is down the chats of this process go on all the same."""
        if time.monotonic() < self._rest_until:
            return False
        self.waiting += 1
        try:
            async with asyncio.timeout(patience):
                await getattr(self._layer, call)(*args)
        except Exception as error:
            self._failed(error)
            self._rest_until = time.monotonic() + REST
            return False
        finally:
            self.waiting -= 1
        self.degraded = False
        return True

    def _failed(self, error: Exception) -> None:
        metrics.LAYER_FAILURES.inc()
        self._others = time.monotonic()  # whoever came meanwhile could not say so
        if not self.degraded:
            logger.warning("channel layer down", extra={"error": type(error).__name__})
        self.degraded = True


def _talk(conversation: uuid.UUID) -> str:
    return f"talk.{conversation.hex}"


def _mailbox(process: str) -> str:
    return f"process.{process}"
