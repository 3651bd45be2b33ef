"""What a turn asks of the knowledge: one search a question, begun as early as can be."""

import asyncio
import logging
from collections.abc import Sequence

from chat.database import searching
from chat.models import Site
from knowledge.embeddings import embed_pending, warm
from knowledge.search import Found, search

__all__ = ["Searching", "embed_pending", "warm"]

logger = logging.getLogger(__name__)

LIMIT = 5
PATIENCE = 3.0  # seconds; a reply without knowledge is better than none


class Searching:
    """The searches of one turn in one site's knowledge.

    Given the visitor's words it begins at once, while they are being stored.
    """

    def __init__(self, site: Site, locale: str = "", words: str = "") -> None:
        self._site = site
        self._language = locale or site.language
        self._found: dict[str, asyncio.Task[list[Found]]] = {}
        if words:
            self._begin(words)

    async def __call__(self, words: str) -> Sequence[Found]:
        """The entries for `words`, best first; none where the search fails or takes too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(self._begin(words))
        except TimeoutError:
            logger.warning("search takes too long")
        except Exception as error:
            logger.warning("search failed", extra={"error": type(error).__name__})
        return []

    def _begin(self, words: str) -> asyncio.Task[list[Found]]:
        if words not in self._found:
            work = searching(
                search,
                self._site.collection_id,
                words,
                limit=LIMIT,
                language=self._language,
            )
            self._found[words] = asyncio.create_task(work)
        return self._found[words]
