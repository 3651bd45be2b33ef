"""One line a record: time, level, logger, message, then `key=value` pairs given as `extra`."""

import logging
import time

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`2026-01-31T12:00:00Z INFO chat.turns reply ended conversation=… state=complete`.

    Modules log ids, sizes and codes through `extra`; what visitors write never goes in.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        pairs = " ".join(
            f"{key}={value}" for key, value in extra.items() if isinstance(value, str | int | float)
        )
        return f"{line} {pairs}" if pairs else line
