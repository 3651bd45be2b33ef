"""What kind of recording some bytes are, and how long it is: as its own container says. Pure.

Browsers record WebM or Ogg with Opus, and MP4 with AAC; a recorder that is stopped has often
written no length into its head, so the last time stamp is looked for.
"""

import struct
from dataclasses import dataclass

LOWEST = 750  # bytes a second, of Opus at its least
_CLUSTER, _TIME, _BLOCK = b"\x1f\x43\xb6\x75", 0xE7, 0xA3


@dataclass(frozen=True, slots=True)
class Recording:
    kind: str  # wav, ogg, webm, mp4
    seconds: float


def look(audio: bytes) -> Recording | None:
    """None: it is no recording that we know."""
    try:
        if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
            return Recording("wav", _wav(audio))
        if audio[:4] == b"OggS":
            return Recording("ogg", _ogg(audio))
        if audio[:4] == b"\x1a\x45\xdf\xa3":
            return Recording("webm", _webm(audio))
        if audio[4:8] == b"ftyp":
            return Recording("mp4", _mp4(audio))
    except (struct.error, ValueError, IndexError, ZeroDivisionError):
        pass
    return None


def _wav(audio: bytes) -> float:
    at = audio.index(b"fmt ")
    rate: int = struct.unpack_from("<I", audio, at + 16)[0]
    data = audio.index(b"data", at)
    return (len(audio) - data - 8) / rate


def _ogg(audio: bytes) -> float:
    """The position of the last page, in samples of 48 kHz."""
    position: int = struct.unpack_from("<q", audio, audio.rindex(b"OggS") + 6)[0]
    if position < 0:
        raise ValueError("the last page ends no packet")
    return position / 48000


def _webm(audio: bytes) -> float:
    """The time of the last block, in milliseconds."""
    at = audio.rindex(_CLUSTER) + len(_CLUSTER)
    _, at = _size(audio, at)
    cluster = last = 0
    while at < len(audio) - 2:
        kind = audio[at]
        size, start = _size(audio, at + 1)
        if kind == _TIME:
            if size > 8:
                raise ValueError("no container counts so far")
            cluster = int.from_bytes(audio[start : start + size], "big")
        elif kind == _BLOCK:
            last = max(last, struct.unpack_from(">h", audio, start + 1)[0])
        elif kind not in (0xA0, 0xAB, 0xA7, 0xEC, 0xBF):  # what else may stand in a cluster
            break
        at = start + size
    return (cluster + last) / 1000


def _size(audio: bytes, at: int) -> tuple[int, int]:
    """A number whose first byte tells how long it is, and where it ends."""
    first = audio[at]
    length = 9 - first.bit_length()
    value = int.from_bytes(audio[at : at + length], "big") & ((1 << (7 * length)) - 1)
    return value, at + length


def _mp4(audio: bytes) -> float:
    """As the head says; of one in fragments when they begin, and the last as long as it can be."""
    scale, length = _stated(audio, b"mvhd")
    if 0 < length < 0xFFFFFFFF:
        return length / scale
    scale, _ = _stated(audio, b"mdhd")
    last = audio.rindex(b"moof")
    begins, at = [0], audio.find(b"tfdt")
    while at >= 0:
        form = ">Q" if audio[at + 4] == 1 else ">I"
        begins.append(struct.unpack_from(form, audio, at + 8)[0])
        at = audio.find(b"tfdt", at + 4)
    return max(begins) / scale + (len(audio) - last) / LOWEST


def _stated(audio: bytes, box: bytes) -> tuple[int, int]:
    """Ticks a second, and how many, of a head."""
    at = audio.index(box) + 4
    if audio[at] == 1:
        scale, length = struct.unpack_from(">IQ", audio, at + 20)
    else:
        scale, length = struct.unpack_from(">II", audio, at + 12)
    return scale, length
