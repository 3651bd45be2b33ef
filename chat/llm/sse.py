"""Server-sent events from a body that arrives in pieces of any size. Pure: bytes in, events out."""

from typing import NamedTuple

LINE_LIMIT = 1024 * 1024  # bytes of a line, and of one event's data


class StreamBroken(ValueError):
    """What arrives can't be a stream of events."""


class ServerEvent(NamedTuple):
    data: str
    name: str = ""  # of an `event:` line; nearly always none


class EventReader:
    """Feed it what the network gives; it returns the events that this completed.

    Lines are cut as bytes, so a character split over two pieces is whole again before it is
    decoded. Comments (a server's sign of life), `id` and `retry` are skipped.
    """

    def __init__(self) -> None:
        self._rest = bytearray()  # of a line that has not ended yet
        self._data: list[str] = []
        self._size = 0
        self._name = ""
        self._after_cr = False
        self._started = False

    def feed(self, piece: bytes) -> list[ServerEvent]:
        if (  # one event, as nearly every piece is, and nothing of another before it
            piece.startswith(b"data: ")
            and piece.find(b"\n") == len(piece) - 2
            and piece.endswith(b"\n")
            and b"\r" not in piece
            and len(piece) <= LINE_LIMIT
            and not (self._rest or self._data or self._name or self._after_cr)
        ):
            self._started = True
            return [ServerEvent(piece[6:-2].decode(errors="replace"))]
        if self._after_cr or b"\r" in piece:
            piece = self._unify(piece)
        if b"\n" not in piece:
            self._rest += piece
            self._check(len(self._rest))
            return []
        if self._rest:
            piece = bytes(self._rest) + piece
        *lines, rest = piece.split(b"\n")
        self._rest = bytearray(rest)
        self._check(len(rest))
        events: list[ServerEvent] = []
        for line in lines:
            if line:
                self._line(line)
            elif self._data:
                events.append(self._event())
        return events

    def close(self) -> list[ServerEvent]:
        """The event that the end of the body left without its empty line, if there is one."""
        if self._rest:
            self._line(bytes(self._rest))
            self._rest.clear()
        return [self._event()] if self._data else []

    def _unify(self, piece: bytes) -> bytes:
        """Every line end as one LF, also where a CRLF falls between two pieces."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        if piece:
            self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _line(self, line: bytes) -> None:
        self._check(len(line))
        if not self._started:
            self._started = True
            line = line.removeprefix(b"\xef\xbb\xbf")
        field, _, value = line.partition(b":")
        if field == b"data":
            self._size += len(value)
            self._check(self._size)
            self._data.append(value.removeprefix(b" ").decode(errors="replace"))
        elif field == b"event":
            self._name = value.strip().decode(errors="replace")

    def _event(self) -> ServerEvent:
        event = ServerEvent("\n".join(self._data), self._name)
        self._data, self._size, self._name = [], 0, ""
        return event

    @staticmethod
    def _check(size: int) -> None:
        if size > LINE_LIMIT:
            raise StreamBroken(f"A line or an event of more than {LINE_LIMIT} bytes.")
