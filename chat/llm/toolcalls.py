"""Tool calls out of a stream: put together from deltas, or found written as text. Pure.

Servers differ: several calls under one index with new ids, no index at all, empty or repeated
ids, `null` for arguments, a whole call in one delta, calls that arrive interleaved. And small
models write the call as text instead.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chat.llm import ToolCall

CALL_LIMIT = 16  # calls of one reply
ARGUMENTS_LIMIT = 256 * 1024  # characters of all their arguments together
WRITTEN_LIMIT = 8192  # characters held back while they might still be a written call

_OPENINGS = ("```json", "```tool_call", "```", "<tool_call>")
_FIRST_KEYS = ('"name"', '"function"', '"tool"')


@dataclass(slots=True)
class _Slot:
    id: str
    name: str
    pieces: list[str] = field(default_factory=list)


class ToolCalls:
    """Collects the deltas of a reply's tool calls."""

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._newest: dict[int, _Slot] = {}  # by index
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._slots)

    def add(self, deltas: object) -> None:
        for delta in deltas if isinstance(deltas, list) else []:
            if isinstance(delta, dict):
                self._add(delta)

    def whole(self) -> list[ToolCall]:
        """All calls in the order of their first delta, each with an id of its own."""
        calls: list[ToolCall] = []
        taken: set[str] = set()
        for number, slot in enumerate(self._slots):
            call_id = slot.id if slot.id and slot.id not in taken else f"call_{number}"
            taken.add(call_id)
            calls.append(ToolCall(call_id, slot.name or "unknown", "".join(slot.pieces)))
        return calls

    def _add(self, delta: Mapping[str, Any]) -> None:
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        call_id, name = _string(delta.get("id")), _string(function.get("name"))
        index = delta.get("index")
        slot = self._slot(index if isinstance(index, int) else None, call_id, name)
        slot.id = slot.id or call_id
        slot.name = slot.name or name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # some servers parse them already
            arguments = json.dumps(arguments, ensure_ascii=False)
        if isinstance(arguments, str) and arguments:
            # What is beyond the limit is dropped: cut arguments are refused, not an error.
            slot.pieces.append(arguments[: max(0, ARGUMENTS_LIMIT - self._size)])
            self._size += len(arguments)

    def _slot(self, index: int | None, call_id: str, name: str) -> _Slot:
        known = self._known(index, call_id, name)
        if known is not None:
            return known
        slot = _Slot(call_id, name)
        if len(self._slots) < CALL_LIMIT:
            self._slots.append(slot)
        if index is not None:
            self._newest[index] = slot
        return slot

    def _known(self, index: int | None, call_id: str, name: str) -> _Slot | None:
        """The call that a delta goes on with, or None where it begins a new one."""
        if index is not None:
            slot = self._newest.get(index)
        else:
            slot = self._slots[-1] if self._slots else None
        if slot is None:
            return None
        if call_id and call_id != slot.id:
            earlier = next((s for s in self._slots if s.id == call_id), None)
            return earlier or (None if name else slot)
        # Without index and id only a second name can tell that another call begins.
        begins = index is None and not call_id and name and slot.name
        return None if begins else slot


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


class WrittenCall:
    """Holds back the beginning of a reply, but only while it could still be a written tool call.

    An ordinary first word is let through at once, and from then on everything is.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._held = ""
        self.watching = bool(self._names)

    def add(self, text: str) -> str:
        """What can be shown now."""
        self._held += text
        if len(self._held) <= WRITTEN_LIMIT and _may_be_call(self._held):
            return ""
        return self.release()

    def release(self) -> str:
        self.watching = False
        held, self._held = self._held, ""
        return held

    def found(self) -> ToolCall | None:
        """The call, if that is what was held back."""
        start = self._held.find("{")
        if start < 0:
            return None
        written = self._held[start:]
        for text in (written, written[1:]):  # some models double the braces
            try:
                value, _ = json.JSONDecoder().raw_decode(text.lstrip())
            except (ValueError, RecursionError):
                continue
            return self._call(value)
        return None

    def _call(self, value: object) -> ToolCall | None:
        if isinstance(value, dict) and isinstance(value.get("function"), dict):
            value = value["function"]
        if not isinstance(value, dict):
            return None
        name = value.get("name") or value.get("tool") or value.get("function")
        arguments = value.get("arguments", value.get("parameters", {}))
        if not isinstance(name, str) or name not in self._names:
            return None
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        return ToolCall("call_0", name, arguments)


def _may_be_call(text: str) -> bool:
    text = text.lstrip()
    for opening in _OPENINGS:
        if opening.startswith(text):
            return True
        if text.startswith(opening):
            text = text.removeprefix(opening).lstrip()
            break
    if not text:
        return True
    if text[0] != "{":
        return False
    inside = text[1:].lstrip().removeprefix("{").lstrip()
    return any(key.startswith(inside) or inside.startswith(key) for key in _FIRST_KEYS)
