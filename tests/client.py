"""A client of the wire protocol with no cleverness: it sends frames and keeps what comes."""

# ruff: noqa: ASYNC109 - a timeout in the signature reads better at every call

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Self

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.canaries import said
from tests.servers import Server

Frame = dict[str, Any]


async def post(
    server: Server, path: str, body: Any, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """Status, JSON body and headers of a POST; `body` goes as JSON, bytes go as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **(headers or {})}
    said(given.get("X-Forwarded-For"))
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}{path}", data=raw, headers=given) as response,
    ):
        return response.status, await response.json(), response.headers


async def get(
    server: Server, path: str, token: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """Status, JSON body and headers of a GET, as the holder of `token` where one is given."""
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    said(token)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}{path}", headers={**bearer, **(headers or {})}) as response,
    ):
        return response.status, await response.json(), response.headers


class Client:
    """One open socket of a visitor.

    `frames` holds all that came down. `until` looks at each frame once, in order, so that a
    sequence of calls also proves the sequence on the wire.
    """

    def __init__(self, server: Server, init: dict[str, Any], socket: ClientConnection) -> None:
        self.server = server
        self.init = init
        self.token: str = init.get("token", "")
        said(self.token)
        self.frames: list[Frame] = []
        self.close_code: int | None = None
        self.close_reason = ""
        self._socket = socket
        self._seen = 0
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        server: Server,
        site: str = "demo",
        token: str | None = None,
        *,
        rev: int = 0,
        epoch: int | None = None,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Self:
        """Init, socket, `connect` and its answer, as a visitor opens the panel."""
        body = {"site": site, **({"token": token} if token else {}), **fields}
        sent = {**(headers or {}), **({"Origin": origin} if origin else {})}
        said([fields.get("page"), fields.get("identity")])
        status, init, _ = await post(server, "/api/chat/init", body, sent)
        assert status == 200, f"init: {status} {init}"
        client = await cls.socket(server, init, origin=origin, headers=headers)
        frame = {"type": "connect", "v": 1, "token": init["token"], "rev": rev}
        await client.send(frame if epoch is None else {**frame, "epoch": epoch})
        await client.until("status")
        return client

    @classmethod
    async def socket(
        cls,
        server: Server,
        init: dict[str, Any] | None = None,
        *,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """A bare socket on which nothing has been said yet."""
        socket = await connect(
            server.ws_url,
            origin=origin,
            additional_headers=headers,
            max_size=None,
            ping_interval=None,
            proxy=None,
        )
        return cls(server, init or {}, socket)

    async def again(self, *, rev: int | None = None, server: Server | None = None) -> "Client":
        """A second socket of the same visitor, as a reload or another tab makes one."""
        return await type(self).open(
            server or self.server, token=self.token, rev=self.rev if rev is None else rev
        )

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                self.frames.append(json.loads(text))
                self._news.set()
        except ConnectionClosed:
            pass
        self.close_code = self._socket.close_code
        self.close_reason = self._socket.close_reason or ""
        self._news.set()

    async def send(self, frame: Any) -> None:
        """An object goes as JSON; text and bytes go as they are."""
        raw = frame if isinstance(frame, str | bytes) else json.dumps(frame, ensure_ascii=False)
        await self._socket.send(raw)

    async def say(self, text: str, client_id: str | None = None, **fields: Any) -> str:
        """Sends a visitor's message; its client_id."""
        client_id = client_id or str(uuid.uuid4())
        said(text)
        await self.send({"type": "message", "client_id": client_id, "text": text, **fields})
        return client_id

    async def until(self, wanted: str | Callable[[Frame], Any], timeout: float = 15) -> Frame:
        """The next frame of that type, or for which `wanted` is true; those before are passed."""
        fits = (lambda frame: frame["type"] == wanted) if isinstance(wanted, str) else wanted
        try:
            async with asyncio.timeout(timeout):
                while True:
                    while self._seen < len(self.frames):
                        self._seen += 1
                        if fits(self.frames[self._seen - 1]):
                            return self.frames[self._seen - 1]
                    assert self.close_code is None, (
                        f"closed with {self.close_code} {self.close_reason} after {self.frames}"
                    )
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no such frame within {timeout:g} s in {self.frames}") from None

    async def acknowledged(self, client_id: str, timeout: float = 15) -> Frame:
        """The visitor's message as it was stored."""
        frame = await self.until(
            lambda f: f["type"] == "message" and f["message"].get("client_id") == client_id, timeout
        )
        return dict(frame["message"])

    async def reply(self, timeout: float = 30) -> Frame:
        """The next reply of the agent that has ended, whole."""
        frame = await self.until(
            lambda f: (
                f["type"] == "message"
                and f["message"]["role"] == "agent"
                and f["message"]["state"] != "streaming"
                and "reply_to" in f["message"]
            ),
            timeout,
        )
        return dict(frame["message"])

    async def closed(self, timeout: float = 15) -> int | None:
        """Waits until the server closes the socket; the close code."""
        async with asyncio.timeout(timeout):
            await asyncio.shield(self._reader)
        return self.close_code

    @property
    def rev(self) -> int:
        """The highest revision this client has been given."""
        revs = [0]
        for frame in self.frames:
            revs += [frame["message"]["rev"]] if frame["type"] == "message" else []
            revs += [message["rev"] for message in frame.get("messages", [])]
        return max(revs)

    def shown(self, message: str) -> str:
        """What a client shows of a reply: its deltas put together by the protocol's rule 3."""
        text, attempt = b"", 0  # UTF-16, since `off` counts its units
        for frame in self.frames:
            if frame["type"] == "message" and frame["message"]["id"] == message:
                text = frame["message"]["text"].encode("utf-16-le")
                attempt = frame["message"].get("attempt", 1)
            elif frame["type"] == "status" and (frame.get("open") or {}).get("message", {}).get(
                "id"
            ) == (message):
                text = frame["open"]["message"]["text"].encode("utf-16-le")
                attempt = frame["open"]["message"].get("attempt", 1)
            elif frame["type"] == "delta" and frame["message"] == message:
                if frame["attempt"] > attempt:
                    text, attempt = b"", frame["attempt"]
                start = 2 * frame["off"]
                if frame["attempt"] == attempt and start <= len(text):
                    piece = frame["text"].encode("utf-16-le")
                    text += piece[len(text) - start :]
        return text.decode("utf-16-le")

    async def close(self) -> None:
        await self._socket.close()
        await self._reader

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
