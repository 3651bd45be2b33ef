"""What no log may hold: secrets that every server is given, and what visitors say and are given.

Tests need not think of it. `clean_env` hands out the secrets, the clients register what they send
and get (`said`), and each stack's logs are read when it ends (`faults_in`). What the tests' own
process logs is heard by a `Listener` (`tests/conftest.py`): whatever a visitor says passes
`conversations.receive`, and whatever they are given `tokens.issue`.
"""

import logging
import re
from collections.abc import Mapping
from functools import wraps
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


class Listener(logging.Handler):
    """Keeps the lines that this process would write to its log, as the product writes them."""

    def __init__(self) -> None:
        from salesagent.logs import LineFormatter

        super().__init__()
        self.setFormatter(LineFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def hear(self) -> None:
        """Listens from now on; Django may have set up logging anew meanwhile."""
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)

    def faults(self) -> list[str]:
        """What should not stand in the lines since the last call."""
        lines, self.lines = self.lines, []
        return faults_in("\n".join(lines), tracebacks=True)


def listen() -> Listener:
    """Registers from now on what visitors say and are given in this process, and listens."""
    from chat import conversations, tokens

    receive, issue = conversations.receive, tokens.issue

    @wraps(receive)
    def receives(*args: Any, **given: Any) -> Any:
        said(given.get("text"))
        return receive(*args, **given)

    @wraps(issue)
    def issues(*args: Any, **given: Any) -> str:
        token = issue(*args, **given)
        said(token)
        return token

    conversations.receive, tokens.issue = receives, issues
    return Listener()
