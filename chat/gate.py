"""How many replies a process writes at once; the others wait a little, and then are told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from django.conf import settings

from chat.live import live

LOOK_AGAIN = 0.1  # seconds


@dataclass(slots=True)
class _Network:
    """The places of one address, for as long as somebody has or wants one."""

    places: asyncio.Semaphore
    users: int = 0


class Gate:
    """Places for replies under way, given in the order they are asked for."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(settings.CHAT_REPLIES)
        self._networks: dict[str, _Network] = {}
        self.waiting = 0  # replies that no place was given to yet

    @property
    def crowded(self) -> bool:
        """Whether a new reply has to wait: no place, or a loop that runs far behind."""
        return self.full or self.behind

    @property
    def full(self) -> bool:
        return self._places.locked()

    @property
    def behind(self) -> bool:
        return live.lag > settings.CHAT_LAG_LIMIT

    @asynccontextmanager
    async def place(self, network: str = "") -> AsyncIterator[bool]:
        """A place for as long as the block runs; False: none came free in time.

        `network` (`limits.mark` of the visitor's address; "": not known) has a few places only, and
        who waits for one of those waits in nobody else's way.
        """
        with self._of(network) as own:
            async with self._place(own) as admitted:
                yield admitted

    @contextmanager
    def _of(self, network: str) -> Iterator[asyncio.Semaphore | None]:
        if not network or not settings.CHAT_RATES:
            yield None
            return
        places = asyncio.Semaphore(settings.CHAT_REPLIES_PER_ADDRESS)
        found = self._networks.setdefault(network, _Network(places))
        found.users += 1
        try:
            yield found.places
        finally:
            found.users -= 1
            if not found.users:
                del self._networks[network]

    @asynccontextmanager
    async def _place(self, own: asyncio.Semaphore | None) -> AsyncIterator[bool]:
        mine = admitted = False
        self.waiting += 1
        try:
            async with asyncio.timeout(settings.CHAT_QUEUE_TIMEOUT):
                mine = own is not None and await own.acquire()
                while self.behind:  # noqa: ASYNC110 - it is read, not told
                    await asyncio.sleep(LOOK_AGAIN)
                admitted = await self._places.acquire()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if mine and own is not None:
                own.release()
            raise
        finally:
            self.waiting -= 1
        try:
            yield admitted
        finally:
            if admitted:
                self._places.release()
            if mine and own is not None:
                own.release()


gate = Gate()
