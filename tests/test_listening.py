"""The tests' own alarm: what a log may not hold is caught, in whichever way it gets there.

`tells` turns the alarm round: such a test fails where nothing is caught.
"""

import logging

import pytest

from chat import tokens
from tests import canaries
from tests.base import Talker, make_site

logger = logging.getLogger("chat.somewhere")
pytestmark = pytest.mark.django_db


@pytest.mark.tells
@pytest.mark.parametrize("secret", [*canaries.SECRETS.values(), canaries.DATABASE_PASSWORD])
def test_a_secret_in_a_message_is_caught(secret: str) -> None:
    logger.warning("asked with %s", secret)


@pytest.mark.tells
def test_a_visitors_words_in_a_field_are_caught() -> None:
    words = "my neighbour must not hear of this"
    Talker(make_site()).says(words)
    logger.info("message", extra={"text": words})


@pytest.mark.tells
def test_a_visitors_words_in_a_traceback_are_caught() -> None:
    words = "nor of that, which is worse by far"
    Talker(make_site()).says(words)
    try:
        raise ValueError(words)
    except ValueError:
        logger.exception("it broke")


@pytest.mark.tells
def test_a_token_is_caught() -> None:
    logger.error("refused", extra={"token": tokens.issue(tokens.fresh("acme"))})


def test_ids_and_sizes_are_no_fault() -> None:
    talker = Talker(make_site())
    message = talker.says("nobody knows what I have said here").message
    logger.info("stored", extra={"message_id": str(message.id), "characters": len(message.text)})
