"""That the look into every server's log sees what must not be there."""

import pytest

from tests import canaries
from tests.client import Client
from tests.servers import Stack

LINE = "2026-01-31T12:00:00Z ERROR chat.turns "


@pytest.mark.parametrize("secret", [*canaries.SECRETS.values(), canaries.DATABASE_PASSWORD])
def test_a_secret_in_a_log_is_seen(secret: str) -> None:
    assert canaries.faults_in(f"{LINE}key={secret}")


def test_a_visitors_words_in_a_log_are_seen_and_nothing_else() -> None:
    canaries.said({"page": {"title": "a rare title of a page", "url": None}, "short": "no"})
    assert canaries.faults_in(f"{LINE}title=a rare title of a page")
    assert canaries.faults_in(f"{LINE}no short title of a page") == []


def test_a_traceback_is_seen_unless_it_is_expected() -> None:
    log = f"{LINE}broke\nTraceback (most recent call last):\n  File\nValueError: x\n"
    assert canaries.faults_in(log)
    assert canaries.faults_in(log, tracebacks=True) == []


async def test_a_stack_that_wrote_down_a_visitors_words_fails_at_its_end(
    sqlite_server, tmp_path
) -> None:
    async with await Client.open(sqlite_server) as visitor:
        await visitor.say("words that somebody writes down")
        await visitor.reply()
    written = Stack(tmp_path, "sqlite://", None, fast=False, env={})
    written.add().log_path.write_text(f"{LINE}text=words that somebody writes down\n")
    with pytest.raises(AssertionError, match="words that somebody"):
        written.close()
