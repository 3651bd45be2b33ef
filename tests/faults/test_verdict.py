"""A model's server that others wrote breaks at random, and judges its client: us.

`llmock` refuses, truncates, resets, stalls and garbles by chance, remembers how each client took
it, and tells: a retry without a pause, a Retry-After that was not honoured, a broken stream that
was taken for a whole one. One such finding fails this test, as far as it can be seen from there.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.world import Visitor, World
from tests.servers import Postgres, Stack, answers, wait_for

LLMOCK = str(Path(sys.executable).parent / "llmock")
FAULTS = (
    *("--error-rate", "429=0.08", "--error-rate", "500=0.08", "--error-rate", "503=0.08"),
    *("--stream-fault", "truncate=0.12", "--stream-fault", "disconnect=0.12"),
    *("--stream-fault", "malformed=0.12", "--stream-fault", "stall=0.06"),
    *("--stream-stall-seconds", "20"),
)
VISITORS, MESSAGES = 8, 4


@pytest.fixture
def llmock(tmp_path: Path, model_port: int) -> Iterator[str]:
    port = model_port
    log = (tmp_path / "llmock.log").open("wb")
    command = [LLMOCK, "serve", "--port", str(port), "--host", "127.0.0.1", "--tool-mode", "off"]
    command += ["--response-style", "varied", "--stream-chunk-delay-ms", "5", *FAULTS]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    wait_for("llmock", lambda: answers("127.0.0.1", port), timeout=40)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.mark.timeout(300)
async def test_a_judge_finds_nothing_wrong(
    breakable: Stack, own_postgres: Postgres, llmock: str
) -> None:
    world = await World(breakable, own_postgres, None).open()  # type: ignore[arg-type]
    visitors = [Visitor(world) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.open()
    for number in range(MESSAGES):
        for who, visitor in enumerate(visitors):  # in words of their own: it knows a call by them
            visitor.first.say(f"Question {number} of visitor {who}, please?")
        for visitor in visitors:
            for tab in visitor.tabs:
                await tab.until(lambda tab=tab: settled(tab), 75, "an answer")
    replies = []
    for visitor in visitors:
        replies += [m for m in await visitor.checked() if m.get("reply_to")]
        await visitor.close()
    await world.close()
    assert {m["state"] for m in replies} == {"complete", "failed"}, "faults of every kind were met"
    told = await asyncio.to_thread(verdict_of, llmock)
    assert told["faults_injected"] > 5
    errors = [each for each in told["findings"] if each["severity"] == "error"]
    # It cannot see what became of a stream that was cut after words were shown: it is not asked for
    # again, and its reply says that it failed.
    cut = [each for each in errors if each["code"] == "truncated_stream_accepted"]
    assert [each for each in errors if each not in cut] == []
    told_visitors = [m for m in replies if m["state"] == "failed" or m["id"] in guided(world)]
    assert len(cut) <= len(told_visitors)


def guided(world: World) -> set[str]:
    """The replies that the guided seller gave where the model failed."""
    with world.connection() as connection:
        found = connection.execute("SELECT id::text FROM chat_message WHERE backend = 'guided'")
        return {id for (id,) in found.fetchall()}


def verdict_of(llmock: str) -> Any:
    """What `llmock report` tells."""
    command = [LLMOCK, "report", "--url", llmock, "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(told.stdout)


def settled(tab: object) -> bool:
    said = tab.said  # type: ignore[attr-defined]
    copy = tab.copy.all()  # type: ignore[attr-defined]
    visitors = [m for m in copy if m["role"] == "visitor"]
    answered = {m["reply_to"] for m in copy if m.get("reply_to") and m["state"] != "streaming"}
    return (
        all(each.acknowledged is not None for each in said)
        and bool(visitors)
        and visitors[-1]["id"] in answered
    )
