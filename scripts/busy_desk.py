"""A fortnight at the demo's desk, made up, for the pictures of it: run by `manage.py shell`."""

import random
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from chat.models import (
    Conversation,
    Lead,
    Message,
    Persona,
    Site,
    Spend,
    StaffProfile,
    Visitor,
)

TALKS = (
    ("Does the Family fit through a normal garden gate?", "It is 86 cm wide at the box."),
    ("What does the Trio cost with two batteries?", "With a second battery it costs €6,280."),
    ("Can I lease one through my employer?", "Yes, with all large leasing companies."),
    ("Is there a rain cover for the box?", "Yes, for €149, and it stays on in wind."),
    ("How long does a battery last in winter?", "Expect a fifth less range below zero."),
    ("Do you take my old bike in part exchange?", "Not yet, but our shops buy used ones."),
    ("Quanto costa la consegna a Milano?", "La consegna costa 290 euro, montata e pronta."),
    ("Kann ich am Samstag Probe fahren?", "Ja, samstags von 10 bis 16 Uhr."),
    ("Combien de temps dure la garantie ?", "Cinq ans sur le cadre, deux sur la batterie."),
    ("Which lock is approved by insurers?", "The frame lock that comes with every bike."),
    ("Can two dogs and a child sit in the box?", "Up to 100 kg together, with belts for all."),
    ("Who repairs it when I live in Ghent?", "One of 14 partners; the next is in Bruges."),
)
PEOPLE = (
    ("Noor Verhaegen", "noor@example.org", "", "new", "A bike for two children by spring"),
    ("Ivo Castellane", "ivo@example.com", "Castellane Fiori", "working", "Three bikes for flowers"),
    ("Greta Sommerlath", "greta@example.net", "", "qualified", "A Family with a rain cover"),
    ("Amadou Keita", "amadou@example.org", "Keita Courier", "new", "Eight bikes for couriers"),
    ("Lise Baudoin", "lise@example.com", "", "won", "A Trio in green"),
    (
        "Tomasz Wrona",
        "tomasz@example.net",
        "Wrona Catering",
        "qualified",
        "Two Pro for lunches",
    ),
)
chance = random.Random(4)
site, version = Site.objects.get(), Persona.objects.get().published
now = timezone.now()
staff = User.objects.get(username="staff")
StaffProfile.objects.create(user=staff, shown_name="Jule")
made = []
for day in range(13, -1, -1):
    for _ in range(chance.randint(9, 26) if day else 12):
        question, answer = chance.choice(TALKS)
        began = now - timedelta(days=day, minutes=chance.randint(5, 500 if day else 90))
        visitor = Visitor.objects.create(site=site, locale="en-GB")
        row = Conversation.objects.create(
            site=site,
            visitor=visitor,
            locale="en-GB",
            last_seq=2,
            rev=2,
            created=began,
            updated=began + timedelta(minutes=2),
            page_title="Cargo bikes",
            state="closed" if day > 1 else "open",
            page_url="https://www.example.com/bikes/",
        )
        asked = Message.objects.create(
            conversation=row,
            seq=1,
            rev=1,
            role="visitor",
            text=question,
            created=began,
            client_id=str(row.pk),
            visitor_id=visitor.pk,
        )
        Message.objects.create(
            conversation=row,
            seq=2,
            rev=2,
            role="agent",
            text=answer,
            sources=[{"title": "Questions and answers"}],
            reply_to=asked,
            created=began + timedelta(seconds=2),
            persona_version=version,
            backend="completions",
            model="gpt-6-luna",
            first_word_ms=chance.randint(380, 900),
            duration_ms=2100,
            input_tokens=1480,
            output_tokens=64,
            cost="0.0011",
            feedback=chance.choice([None, None, 1, 1, 1, -1] if day else [None, 1, 1]),
        )
        made.append(row)
    Spend.objects.create(
        day=(now - timedelta(days=day)).date(),
        scope=Spend.Scope.WHOLE,
        cap=25 * 10**9,
        spent=chance.randint(2 * 10**9, 9 * 10**9),
    )
for n, (name, email, company, stage, need) in enumerate(PEOPLE):
    Lead.objects.create(
        conversation=made[-1 - 7 * n],
        site=site,
        name=name,
        email=email,
        company=company,
        stage=stage,
        need=need,
        owner=staff if n % 2 else None,
        mailed=now,
        created=now - timedelta(hours=9 * n),
    )
waiting = made[-3]
Conversation.objects.filter(pk=waiting.pk).update(
    waiting_since=now - timedelta(minutes=4), waiting_mailed=now, absent_told=now
)
Message.objects.filter(conversation=made[-5], seq=2).update(feedback=-1)
