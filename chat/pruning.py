"""Deletes what has been kept long enough: by the site's days, and by what it is still good for.

Synchronous, in small transactions. It may be cut off anywhere and run again, or twice at once: a
row that another run has in hand is left to it. What belongs to a message goes with the message.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from chat.erasing import unname
from chat.models import Conversation, Delivery, Erasure, Lead, Message, Site, Spend, Visitor
from chat.tokens import MAX_AGE
from voice import clips
from voice.models import ClipUse

BATCH = 100  # rows a transaction
HASHED_DAYS = 2  # what single visitors and addresses spent is asked for on its own day alone
DELIVERY_DAYS = 60  # what became of a message to a webhook
FIGURES_DAYS = 400  # what sites spent: for a look back at the year


def prune(*, dry: bool = False, batch: int = BATCH) -> Counter[str]:
    """Deletes what is due; how many of each. `dry`: only counts, what is there now."""
    now = timezone.now()
    done: Counter[str] = Counter()
    for site in Site.objects.all():
        idle = now - timedelta(days=site.idle_days)
        if site.keep_days:
            # Not before it has ended, whatever was typed in.
            cutoff = now - timedelta(days=max(site.keep_days, site.idle_days))
            done["conversations"] += _each(_old(site, cutoff), _delete_talks, dry, batch)
            done["visitors"] += _each(_left_over(site, cutoff), _delete_visitors, dry, batch)
        done["summaries"] += _each(_summaries(site, idle), _clear_summaries, dry, batch)
    done["spending"] += _each(_spending(now), _delete_spending, dry, batch)
    over = Delivery.objects.exclude(state=Delivery.State.WAITING)
    late = over.filter(created__lt=now - timedelta(days=DELIVERY_DAYS))
    done["deliveries"] += _each(late, _delete_deliveries, dry, batch)
    # By then every token that the erased had is worth nothing by its age.
    erasures = Erasure.objects.filter(at__lt=now - timedelta(seconds=MAX_AGE, days=1))
    done["erasures"] += _each(erasures, _delete_erasures, dry, batch)
    done["heard segments"] += _each(_unheard(), _delete_uses, dry, batch)
    return +done


def _each(rows: QuerySet[Any], do: Callable[[Sequence[Any]], object], dry: bool, batch: int) -> int:
    """Does it to all rows, a few at a time, each locked and looked at once more; how many."""
    if dry:
        return rows.count()
    done = 0
    while True:
        try:
            with transaction.atomic():
                locked = rows.select_for_update(skip_locked=True).order_by("pk")
                keys = list(locked.values_list("pk", flat=True)[:batch])
                do(keys)
        except IntegrityError:  # somebody came back at this moment: they stay, until the next run
            return done
        done += len(keys)
        if len(keys) < batch:
            return done


# --- Conversations and visitors -----------------------------------------------------------------


def _old(site: Site, cutoff: datetime) -> QuerySet[Conversation]:
    return Conversation.objects.filter(site=site, updated__lt=cutoff)


def _delete_talks(ids: Sequence[Any]) -> None:
    leads = Lead.objects.filter(conversation__in=ids).values_list("id", flat=True)
    unname({Conversation: ids, Lead: list(leads)})
    messages = Message.objects.filter(conversation__in=ids)
    clips.forget(list(messages.values_list("id", flat=True)))
    # In one statement; row by row it would be asked for each what answers it.
    messages.update(reply_to=None)
    Conversation.objects.filter(id__in=ids).delete()


def _left_over(site: Site, cutoff: datetime) -> QuerySet[Visitor]:
    """Those who have no conversation any more, nor a new one by now."""
    talks = Conversation.objects.filter(visitor=OuterRef("pk"))
    return Visitor.objects.filter(~Exists(talks), site=site, created__lt=cutoff)


def _delete_visitors(ids: Sequence[Any]) -> None:
    unname({Visitor: ids})
    Visitor.objects.filter(id__in=ids).delete()


# --- What is good for nothing any more ----------------------------------------------------------


def _summaries(site: Site, idle: datetime) -> QuerySet[Conversation]:
    """Of conversations that have ended: no prompt is made from them again."""
    over = Q(state=Conversation.State.CLOSED) | Q(updated__lt=idle)
    return Conversation.objects.filter(over, site=site).exclude(summary="")


def _clear_summaries(ids: Sequence[Any]) -> None:
    Conversation.objects.filter(id__in=ids).update(summary="", summary_seq=0, noted_seq=0)


def _spending(now: datetime) -> QuerySet[Spend]:
    today = now.date()
    single = Q(scope__in=(Spend.Scope.VISITOR, Spend.Scope.ADDRESS))
    return Spend.objects.filter(
        single & Q(day__lt=today - timedelta(days=HASHED_DAYS))
        | Q(day__lt=today - timedelta(days=FIGURES_DAYS))
    )


def _delete_spending(ids: Sequence[Any]) -> None:
    Spend.objects.filter(id__in=ids).delete()


def _delete_erasures(marks: Sequence[Any]) -> None:
    Erasure.objects.filter(mark__in=marks).delete()


def _unheard() -> QuerySet[ClipUse]:
    """What was heard of messages that are gone, by whatever way they went."""
    return ClipUse.objects.filter(~Exists(Message.objects.filter(pk=OuterRef("message"))))


def _delete_uses(ids: Sequence[Any]) -> None:
    clips.forget(list(ClipUse.objects.filter(id__in=ids).values_list("message", flat=True)))


def _delete_deliveries(ids: Sequence[Any]) -> None:
    Delivery.objects.filter(id__in=ids).delete()
