"""Speaking and hearing on this machine: what Piper says, Whisper understands."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.extras.conftest import run

SPEAK = Path(__file__).with_name("speak_here.py")
TEXT = "What does the business plan cost per month?"


@pytest.fixture(scope="module")
def answers(local: Path) -> Any:
    return json.loads(run([str(local), str(SPEAK), TEXT]).splitlines()[-1])


def test_all_engines_are_found(answers: Any) -> None:
    assert answers["installed"] == {"piper": True, "espeak": True, "whisper": True}


@pytest.mark.parametrize("engine", ["piper", "espeak"])
def test_what_is_said_is_a_whole_file(answers: Any, engine: str) -> None:
    assert answers[engine]["kind"] == "wav"
    assert 1.5 < answers[engine]["seconds"] < 5
    assert answers[engine]["fast"] < answers[engine]["seconds"]


def test_what_piper_says_whisper_understands(answers: Any) -> None:
    assert answers["piper"]["heard"] == TEXT
    assert answers["piper"]["heard_seconds"] == pytest.approx(answers["piper"]["seconds"], abs=0.1)


def test_what_chromium_records_can_be_read_and_noise_cannot(answers: Any) -> None:
    assert answers["recorded_seconds"] == pytest.approx(2.5, abs=0.2)
    assert answers["noise"] == "refused"
