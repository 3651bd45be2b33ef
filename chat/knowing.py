"""What a turn asks of the knowledge: one search a question, begun as early as can be."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.conf import settings

from chat import budgets, context, paid
from chat.budgets import Payer
from chat.database import searching
from chat.llm import Usage, prices
from chat.models import Site
from knowledge.embeddings import EmbeddingError, embed_pending, warm
from knowledge.search import Found, forget, search

__all__ = ["Searching", "embed_pending", "forget", "pays", "warm"]

logger = logging.getLogger(__name__)

LIMIT = 5
PATIENCE = 3.0  # seconds; a reply without knowledge is better than none


class Searching:
    """The searches of one turn in one site's knowledge.

    Given the visitor's words it begins at once, while they are being stored. Where an endpoint
    makes the vectors, `payer` pays for it; without money words alone are compared.
    """

    def __init__(self, site: Site, payer: Payer, locale: str = "", words: str = "") -> None:
        self._site = site
        self._payer = payer
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
            costs = settings.KNOWLEDGE_EMBEDDINGS == "endpoint"
            work = self._paid_for(words) if costs else self._search(words)
            self._found[words] = asyncio.create_task(work)
            self._found[words].add_done_callback(_heard)
        return self._found[words]

    async def _search(self, words: str, *, by_meaning: bool = True) -> list[Found]:
        return await searching(
            search,
            self._site.collection_id,
            words,
            limit=LIMIT,
            language=self._language,
            by_meaning=by_meaning,
        )

    async def _paid_for(self, words: str) -> list[Found]:
        model = settings.KNOWLEDGE_EMBEDDINGS_MODEL
        try:
            async with paid.call(self._payer, prices.worst(model, [{"": words}], (), 0)) as bill:
                bill.cost = prices.cost(Usage(context.tokens(words), 0), model)
                return await self._search(words)
        except paid.Unpaid:
            return await self._search(words, by_meaning=False)


@contextmanager
def pays(model: str, texts: Sequence[str]) -> Iterator[None]:
    """Around one request that embeds what staff wrote: the budget of all sites pays for it.

    Synchronous, for threads and commands. `knowledge` knows nothing of money: it is given this.
    """
    try:
        held = budgets.reserve(Payer(), prices.worst(model, [{"": text} for text in texts], (), 0))
    except budgets.Refused as refused:
        why = "paid calls are stopped" if refused.reason == "stopped" else "the budget is spent"
        raise EmbeddingError(f"nothing is embedded, for {why}") from None
    try:
        yield
    finally:  # also of one that failed: nobody knows whether it was charged for
        used = Usage(sum(map(context.tokens, texts)), 0)
        budgets.settle(held, prices.cost(used, model))


def _heard(search: asyncio.Task[list[Found]]) -> None:
    """A search may fail when nobody waits for it any more; asyncio would log a traceback."""
    if not search.cancelled():
        search.exception()
