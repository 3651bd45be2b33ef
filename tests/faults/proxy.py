"""A door before a server that can be slammed, or seem open while nothing goes through."""

import asyncio
import random
import struct
from socket import SO_LINGER, SOL_SOCKET


class Proxy:
    """Passes bytes from `port`, its own, to a server's."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._through = asyncio.Event()
        self._through.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.wait_for(asyncio.gather(*self._tasks), 5)

    def cut(self) -> None:
        """Ends every line with a reset, on both sides."""
        for writer in list(self._writers):
            _reset(writer)

    def cut_one(self, rng: random.Random) -> None:
        """Ends any one line."""
        if self._writers:
            _reset(rng.choice(list(self._writers)))

    def freeze(self) -> None:
        """Lines stay open and carry nothing, as when a phone has left the network."""
        self._through.clear()

    def thaw(self) -> None:
        self._through.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._through.wait()
            above, below = await asyncio.open_connection("127.0.0.1", self.target)
        except (OSError, asyncio.CancelledError):
            writer.close()
        else:
            self._writers.add(below)
            ways = (self._pass(reader, below), self._pass(above, writer))
            await asyncio.gather(*ways, return_exceptions=True)
            self._writers.discard(below)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._through.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.transport.is_closing():
        return
    sock = writer.get_extra_info("socket")
    sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
