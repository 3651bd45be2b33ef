"""A client's copy of one conversation, kept by the rules of `docs/protocol.md` and nothing else.

Every frame is checked as it comes: an order that the protocol forbids, a word that is not a prefix
of what the reply becomes, or a message that changes its place raises `Broken`.
"""

from collections.abc import Mapping
from typing import Any

Frame = Mapping[str, Any]
STREAMING = "streaming"


class Broken(AssertionError):
    """The server broke its protocol."""


def holds(condition: object, rule: str, frame: Frame) -> None:
    if not condition:
        raise Broken(f"{rule}: {frame}")


class Transcript:
    """`messages` by id, as a client shows them; a streaming reply with the words it has so far."""

    def __init__(self) -> None:
        self.rev = 0
        self.conversation = ""
        self.epoch: Any = None
        self.state = ""
        self.messages: dict[str, dict[str, Any]] = {}
        self._fresh = True  # nothing has come down this socket yet
        self._ended: set[tuple[str, int]] = set()  # replies that ended on this socket, by attempt

    def connected(self) -> None:
        """A new socket: the first frame on it is a `status`."""
        self._fresh = True
        self._ended.clear()

    def position(self) -> dict[str, Any]:
        """What `connect` and `status` say of this copy."""
        known = {"conversation": self.conversation, "epoch": self.epoch}
        return {"rev": self.rev, **(known if self.conversation else {})}

    def take(self, frame: Frame) -> bool:
        """Takes a frame in. False: something is missing before it, so the client asks."""
        kind = frame["type"]
        holds(kind == "status" or not self._fresh, "before the first status nothing comes", frame)
        self._fresh = False
        if kind == "status":
            return self._status(frame)
        if kind == "message":
            return self._message(frame["message"], frame)
        if kind == "delta":
            return self._delta(frame)
        return True

    def _status(self, frame: Frame) -> bool:
        about = frame["conversation"]
        if frame["full"]:
            self.messages, self.rev = {}, 0
            self._ended.clear()
        elif self.conversation:
            holds(about["id"] == self.conversation, "another conversation is `full`", frame)
        self.conversation, self.epoch, self.state = about["id"], about["epoch"], about["state"]
        revs = [message["rev"] for message in frame["messages"]]
        holds(revs == sorted(set(revs)), "messages come in order of `rev`, each once", frame)
        for message in frame["messages"]:
            if message["rev"] > self._known(message["id"]):
                self._store(message, frame)
        if not frame["more"]:
            top = max((m["rev"] for m in self.messages.values()), default=0)
            holds(top <= about["rev"], "no message is newer than its conversation", frame)
            if revs:
                holds(revs[-1] == about["rev"], "the last `rev` is the conversation's", frame)
        self.rev = max([self.rev, *revs])
        if frame["open"]:
            self._open(frame["open"], frame)
        return not frame["more"] and self.rev == about["rev"]

    def _open(self, given: Mapping[str, Any], frame: Frame) -> None:
        shape = given["message"]
        holds(shape["state"] == STREAMING, "`open` is a streaming reply", frame)
        holds(given["off"] == units(shape["text"]), "`open.off` is its text's length", frame)
        mine = self.messages.get(shape["id"])
        if mine is None or mine["rev"] < shape["rev"]:
            return  # its `message` is still to come
        same = (mine["rev"], mine.get("attempt")) == (shape["rev"], shape["attempt"])
        if same and mine["state"] == STREAMING:
            known = mine.get("shown", mine["text"])
            longer = max(known, shape["text"], key=len)
            for text in (known, shape["text"]):
                holds(longer.startswith(text), "an attempt's text only grows", frame)
            # What it says now is where the next delta joins.
            mine["text"] = shape["text"]
            mine["shown"] = longer

    def _message(self, shape: Mapping[str, Any], frame: Frame) -> bool:
        if "conversation" in frame and frame["conversation"] != self.conversation:
            return True  # a repeat of what was said in one that has ended
        if shape["rev"] <= self.rev:
            known = self.messages.get(shape["id"])
            holds(known is None or known["seq"] == shape["seq"], "`seq` stays", frame)
            return known is not None
        if shape["rev"] > self.rev + 1:
            return False
        self._store(shape, frame)
        self.rev = shape["rev"]
        return True

    def _store(self, shape: Mapping[str, Any], frame: Frame) -> None:
        mine = self.messages.get(shape["id"])
        for other in self.messages.values():
            if other["id"] != shape["id"]:
                holds(other["seq"] != shape["seq"], "one message a place", frame)
                client_id = shape.get("client_id")
                holds(client_id is None or other.get("client_id") != client_id, "once", frame)
        if mine is not None:
            holds(mine["seq"] == shape["seq"], "`seq` stays", frame)
            holds(mine.get("attempt", 1) <= shape.get("attempt", 1), "attempts only rise", frame)
            if mine["state"] == STREAMING and mine["attempt"] == shape["attempt"]:
                shown = mine.get("shown", mine["text"])
                again = shape["state"] == STREAMING and shape["rev"] > mine["rev"]
                holds(not again, "written again it is another attempt", frame)
                if shape["state"] != STREAMING:
                    holds(shape["text"].startswith(shown), "what was shown is a prefix", frame)
        if shape["state"] != STREAMING:
            self._ended.add((shape["id"], shape.get("attempt", 1)))
            if shape["state"] == "failed":
                holds((shape.get("error") or {}).get("message"), "a failure says so", frame)
        open_ones = [m for m in self.messages.values() if m["state"] == STREAMING]
        if shape["state"] == STREAMING and frame["type"] == "message":
            others = [m for m in open_ones if m["id"] != shape["id"]]
            holds(not others, "one open reply a conversation", frame)
        self.messages[shape["id"]] = dict(shape)

    def _delta(self, frame: Frame) -> bool:
        key = (frame["message"], frame["attempt"])
        holds(key not in self._ended, "no delta after the end", frame)
        mine = self.messages.get(frame["message"])
        if mine is None or frame["attempt"] > mine["attempt"]:
            return False
        if frame["attempt"] < mine["attempt"] or mine["state"] != STREAMING:
            return True
        have = mine["text"].encode("utf-16-le")
        start = 2 * frame["off"]
        if start > len(have):
            return False
        piece = frame["text"].encode("utf-16-le")
        overlap = have[start:]
        common = min(len(overlap), len(piece))
        holds(overlap[:common] == piece[:common], "an attempt's text only grows", frame)
        mine["text"] = (have + piece[len(overlap) :]).decode("utf-16-le")
        known = mine.get("shown", "")
        longer = max(known, mine["text"], key=len)
        holds(longer.startswith(mine["text"]), "an attempt's text only grows", frame)
        holds(longer.startswith(known), "an attempt's text only grows", frame)
        mine["shown"] = longer
        return True

    def _known(self, id: str) -> int:
        return int(self.messages[id]["rev"]) if id in self.messages else 0

    # --- What tests ask -------------------------------------------------------------------------

    def all(self) -> list[dict[str, Any]]:
        """Every message, oldest first."""
        return sorted(self.messages.values(), key=lambda message: message["seq"])

    def rows(self) -> list[tuple[Any, ...]]:
        """What must be the same in every copy and in the database."""
        return [row(message) for message in self.all()]

    def same_after_again(self, frame: Frame) -> bool:
        """Whether taking in a frame that was just taken in changes nothing."""
        before = (self.rows(), self.rev, self.conversation, self.epoch)
        self.take(frame)
        return before == (self.rows(), self.rev, self.conversation, self.epoch)


def row(message: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("seq", "id", "rev", "role", "state", "text", "client_id", "reply_to")
    values = [message.get(name) or None for name in names]
    return (*values, message.get("attempt") or 1)


def units(text: str) -> int:
    """How many UTF-16 units, as the protocol counts."""
    return len(text.encode("utf-16-le")) // 2
