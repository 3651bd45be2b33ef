"""The agent's suggestion for what a person says next: a line to edit, which nobody sees before.

Paid for as a reply is. It is given what the agent would be given, and no tools.
"""

import logging
import uuid
from dataclasses import replace

from django.utils.translation import gettext as _

from chat import backends, paid, prompts
from chat.budgets import Payer
from chat.conversations import Refused
from chat.database import query
from chat.knowing import Searching
from chat.llm import LLMError
from chat.summaries import asked
from chat.wire import MAX_TEXT, cut

logger = logging.getLogger(__name__)

TOKENS = 300  # of a suggestion
_TASK = (
    "A person of the team, {name}, has taken this conversation over and answers now. Write the "
    "next message that they could send: their words alone, in the visitor's language, short, and "
    "with nothing that is not known from above. They will edit it."
)


async def suggest(conversation: uuid.UUID, name: str) -> str:
    """The line for `name` to send; raises `Refused` in words where there is none."""
    llm, model = backends.chain()[0]
    material = await query(prompts.load, conversation)
    if material is None:
        raise Refused("not_found", _("There is no such conversation."))
    if llm.name != "completions":
        raise Refused("not_allowed", _("Suggestions take a model, and none is set up."))
    row = material.conversation
    searching = Searching(row.site, Payer.of(row), row.locale)
    found = await searching(material.question) if material.question else []
    prompt, _fitted = prompts.make(material, found, searching, model)
    task = {"role": "system", "content": _TASK.format(name=name)}
    prompt = replace(prompt, messages=(*prompt.messages, task), reply_tokens=TOKENS)
    try:
        with backends.breaker(llm, model).watching():
            text = await asked(llm, prompt, row)
    except paid.Unpaid:
        raise Refused("budget_spent", _("The budget for models is spent for today.")) from None
    except (LLMError, TimeoutError) as error:
        extra = {"conversation": str(conversation), "error": type(error).__name__}
        logger.info("nothing suggested", extra=extra)
        words = _("The model does not answer. Please try again in a moment.")
        raise Refused("try_again", words, final=False) from None
    if not text:
        raise Refused("try_again", _("The model had no suggestion."), final=False)
    return cut(text, MAX_TEXT)
