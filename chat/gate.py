"""How many replies a process writes at once; the others wait a little, and then are told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings

from chat.live import live

LOOK_AGAIN = 0.1  # seconds


class Gate:
    """Places for replies under way, given in the order they are asked for."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(settings.CHAT_REPLIES)
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
    async def place(self) -> AsyncIterator[bool]:
        """A place for as long as the block runs; False: none came free in time."""
        admitted = False
        self.waiting += 1
        try:
            async with asyncio.timeout(settings.CHAT_QUEUE_TIMEOUT):
                while self.behind:  # noqa: ASYNC110 - it is read, not told
                    await asyncio.sleep(LOOK_AGAIN)
                admitted = await self._places.acquire()
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1
        try:
            yield admitted
        finally:
            if admitted:
                self._places.release()


gate = Gate()
