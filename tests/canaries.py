"""What no log may hold: secrets that every server is given, and what visitors say and are given.

Tests need not think of it. `clean_env` hands out the secrets, the clients register what they send
and get (`said`), and each stack's logs are read when it ends (`faults_in`).
"""

import re
from collections.abc import Mapping
from typing import Any

SECRETS = {
    "SECRET_KEY": "canary-signing-key-that-is-long-enough-and-has-many-letters-0123",
    "OPENAI_API_KEY": "canary-model-key-31c5",
    "SMALLEST_API_KEY": "canary-voice-key-88d0",
    "KNOWLEDGE_EMBEDDINGS_KEY": "canary-embeddings-key-72e4",
}
DATABASE_PASSWORD = "canary-database-password-5a17"
REDIS_PASSWORD = "canary-redis-password-c9f2"
IDENTITY_KEY = "canary-identity-key-" + "4e" * 22

SHORTEST = 8  # characters; what is shorter may stand in a log by chance
BEGINNING = 40  # ... and of long words the beginning is enough

_said: set[str] = set()


def said(value: Any) -> None:
    """Registers a visitor's words, token, address, page: every string in `value`."""
    if isinstance(value, str):
        for line in value.splitlines():
            if len(line.strip()) >= SHORTEST:
                _said.add(line.strip()[:BEGINNING])
    elif isinstance(value, Mapping):
        said(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            said(item)


def faults_in(log: str, *, tracebacks: bool = False) -> list[str]:
    """What a server should not have written; `tracebacks`: faults around it make them."""
    secrets = {**SECRETS, "the database's password": DATABASE_PASSWORD}
    secrets |= {"Redis's password": REDIS_PASSWORD, "the identity key": IDENTITY_KEY}
    found = [f"{name} is in the log" for name, secret in secrets.items() if secret in log]
    found += [f"a visitor's {words!r} is in the log" for words in _said if words in log]
    if not tracebacks:
        found += [f"an unexpected traceback:\n{text}" for text in _TRACEBACK.findall(log)]
    return found


_TRACEBACK = re.compile(r"^.*Traceback \(most recent call last\):(?:\n.*){0,40}", re.MULTILINE)
