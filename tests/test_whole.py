"""The product whole, with parts that others made: a mock of a model's server, a mail folder."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.servers import answers, free_port, wait_for
from tests.upstream import Upstream


@pytest.fixture(scope="module")
def llmock_url(tmp_path_factory) -> Iterator[str]:
    """An OpenAI-compatible server that we did not write, with text only and no faults."""
    port = free_port()
    log = (tmp_path_factory.mktemp("llmock") / "log").open("wb")
    command = [str(Path(sys.executable).parent / "llmock"), "serve", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--tool-mode", "off", "--response-style", "hello"]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    wait_for("llmock", lambda: answers("127.0.0.1", port), timeout=30)
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(10)


def asking(url: str) -> dict[str, str]:
    """The settings with which the product asks the model at `url`."""
    return {"CHAT_BACKEND": "completions", "OPENAI_BASE_URL": url}


async def test_a_talk_over_a_server_that_others_wrote(stack, llmock_url):
    made = stack(env=asking(llmock_url))
    async with await Client.open(made.server) as visitor:
        for _ in range(2):
            await visitor.say("Hello there")
            reply = await visitor.reply()
            assert reply["state"] == "complete"
            assert reply["text"] == visitor.shown(reply["id"]) != ""
    row = one(made, "Message.objects.filter(backend='completions').order_by('seq').last()")
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0


def one(made, query: str) -> dict:
    """The columns of one row, read by a management command."""
    code = (
        "import json; from chat.models import *; from django.forms.models import model_to_dict;"
        f"row = {query}; print(json.dumps(model_to_dict(row), default=str))"
    )
    return json.loads(made.manage("shell", "-v0", "-c", code).strip().splitlines()[-1])


async def test_usage_cost_version_and_first_word_are_kept(stack):
    async with Upstream() as upstream:
        made = stack(env=asking(upstream.url) | {"CHAT_PRICES": '{"gpt-6-luna": [1, 0.5, 10]}'})
        async with await Client.open(made.server) as visitor:
            await visitor.say("[words 4 5] [usage 1000 20 400] [silence 0.05]")
            await visitor.reply()
    row = one(made, "Message.objects.filter(reply_to__isnull=False).latest('created')")
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (1000, 400, 20)
    assert float(row["cost"]) == pytest.approx((600 * 1 + 400 * 0.5 + 20 * 10) / 1e6)
    assert row["model"] == "stand-in"  # as the server calls what answered
    assert row["persona_version"] is not None
    assert row["first_word_ms"] >= 50
    assert row["duration_ms"] >= row["first_word_ms"]


async def test_a_reply_that_is_stopped_is_counted_too(stack):
    async with Upstream() as upstream:
        made = stack(env=asking(upstream.url))
        async with await Client.open(made.server) as visitor:
            await visitor.say("[words 200 20]")
            message = (await visitor.until("delta"))["message"]
            await visitor.send({"type": "stop", "message": message})
            await visitor.reply()
    row = one(made, "Message.objects.filter(reply_to__isnull=False).latest('created')")
    assert row["input_tokens"] > 100
    assert row["output_tokens"] > 0
    assert float(row["cost"]) > 0


async def test_publishing_a_version_holds_from_the_next_turn_on(stack):
    async with Upstream() as upstream:
        made = stack(env=asking(upstream.url))
        async with await Client.open(made.server) as visitor:
            await visitor.say("[words 2 5] one")
            await visitor.reply()
            made.manage(
                "shell",
                "-v0",
                "-c",
                "from chat import personas; from chat.models import Persona;"
                "p = Persona.objects.get(); personas.publish("
                "personas.save_version(p, instructions='Only talk about tents.', model='m-2'))",
            )
            await visitor.say("[words 2 5] two")
            await visitor.reply()
        first, second = (request.body for request in upstream.requests)
        assert "tents" not in first["messages"][0]["content"]
        assert "\n\nOnly talk about tents." in second["messages"][0]["content"]
        assert second["model"] == "m-2"


async def test_what_no_longer_fits_is_summarised(stack):
    async with Upstream() as upstream:
        made = stack(env=asking(upstream.url) | {"CHAT_CONTEXT_TOKENS": "2600"})
        async with await Client.open(made.server) as visitor:
            await visitor.say("[words 2 1] We are 12 people in Ghent and need 5 bikes by May.")
            await visitor.reply()
            for n in range(12):
                await visitor.say(f"[words 2 1] {n} " + "and something else to think about " * 15)
                await visitor.reply()
        last = upstream.requests[-1].body["messages"]
        assert not any("12 people in Ghent" in m["content"] for m in last if m["role"] == "user")
        assert "12 people in Ghent" in last[1]["content"]
        assert last[-1]["content"].startswith("[words 2 1] 11")


async def test_staff_are_mailed_when_a_visitor_wants_a_person(stack, tmp_path):
    mails = tmp_path / "mails"
    made = stack(
        fast=True,
        env={
            "CHAT_BACKEND": "guided",
            "EMAIL_URL": f"filemail:///{mails}",
            "PUBLIC_URL": "https://chat.example.com",
        },
    )
    made.manage(
        "shell", "-v0", "-c",
        "from chat.models import Site; Site.objects.update(staff_emails='desk@example.com')",
    )  # fmt: skip
    async with await Client.open(made.server) as visitor:
        await visitor.say("I want to talk to a person, please")
        line = await visitor.until(
            lambda f: f["type"] == "message" and f["message"]["role"] == "system"
        )
        assert line["message"]["text"]
        for _ in range(100):
            sent = [path.read_text() for path in mails.glob("*")] if mails.exists() else []
            if sent:
                break
            await asyncio.sleep(0.1)
    assert len(sent) == 1
    assert "To: desk@example.com" in sent[0]
    assert "https://chat.example.com/admin/" in sent[0]


async def test_guided_answers_stream_and_name_their_source(stack):
    made = stack(env={"CHAT_BACKEND": "guided"})
    async with await Client.open(made.server) as visitor:
        await visitor.say("Do you deliver, and what does delivery cost?")
        reply = await visitor.reply()
        assert reply["state"] == "complete"
        assert reply["sources"][0]["url"].startswith("https://www.example.com/")
        assert len([f for f in visitor.frames if f["type"] == "delta"]) > 3
        await visitor.say("Ich heiße Ada Beispiel, ada@example.com, Telefon 030 1234567")
        await visitor.reply()
    lead = one(made, "Lead.objects.latest('created')")
    assert lead["email"] == "ada@example.com"
    assert "Ada" in lead["name"]
    assert "ada@example.com" in lead["words"]
