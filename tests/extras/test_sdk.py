"""The service's own SDK talks to our stand-in of it, so that the stand-in is what it stands for."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.extras.conftest import Make, run
from tests.smallest import KEY, SECONDS_A_CHARACTER, Smallest

ASK = Path(__file__).with_name("ask_sdk.py")
TEXT = "Your quote is ready."


@pytest.fixture(scope="module")
def answers(environment: Make) -> Any:
    python = environment("sdk", ["smallestai==5.14.0"])
    with Smallest() as service:
        said = run([str(python), str(ASK), service.url, KEY, TEXT], HOME="/nonexistent")
        return {**json.loads(said), "requests": service.requests}


def test_it_speaks_as_a_file_and_as_a_stream(answers: Any) -> None:
    size = 44 + 2 * round(len(TEXT) * SECONDS_A_CHARACTER * 24000)
    assert answers["wav"] == {"head": "RIFF", "size": size}
    assert answers["stream"]["events"] > 2
    assert answers["stream"]["last"]


def test_it_reads_the_catalogue_and_the_clones(answers: Any) -> None:
    assert answers["voices"] == 8
    assert answers["language"] == ["english"]
    assert answers["clone"]["voice_id"].startswith("voice_")
    assert answers["clones"] == 1


def test_it_hears(answers: Any) -> None:
    assert answers["transcription"] == "What does it cost?"


def test_it_takes_our_errors_for_the_services(answers: Any) -> None:
    assert answers["errors"] == {"401": "UnauthorizedError", "400": "BadRequestError"}
