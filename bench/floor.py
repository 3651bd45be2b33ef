"""The floor: the least that a relay in Python can be, with nothing of the product in it.

A bare ASGI application for the same server and the same command: `message` up, the model's tokens
down, one frame each. It knows nobody, keeps nothing, and checks nothing. MODEL_URL names the model.
"""

import json
import os
from typing import Any

import aiohttp

_BODY = {"model": "load", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
_session: aiohttp.ClientSession | None = None


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await _socket(receive, send)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"status":"ok"}'})


async def _lifespan(receive: Any, send: Any) -> None:
    global _session
    await receive()
    _session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _session.close()
    await send({"type": "lifespan.shutdown.complete"})


async def _socket(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        frame = json.loads(message["text"])
        if frame["type"] == "message":
            await _relay(send)
        else:
            await send({"type": "websocket.send", "text": '{"type":"status"}'})


async def _relay(send: Any) -> None:
    assert _session is not None
    url = f"{os.environ['MODEL_URL']}/chat/completions"
    async with _session.post(url, json=_BODY) as response:
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            choices = json.loads(line[6:])["choices"]
            if choices and (text := choices[0]["delta"].get("content")):
                frame = json.dumps({"type": "delta", "text": text})
                await send({"type": "websocket.send", "text": frame})
    await send({"type": "websocket.send", "text": '{"type":"end"}'})
