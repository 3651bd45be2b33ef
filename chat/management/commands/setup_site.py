"""Makes a company's first real site: the site, its persona, empty knowledge and a staff login."""

import secrets
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from getpass import getpass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.text import slugify

from chat import personas
from chat.management.arguments import language, origin
from chat.models import Persona, Site
from chat.staff import STAFF, add_staff, has_login
from knowledge.models import Collection


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be made, checked."""

    name: str
    key: str
    origins: list[str]
    language: str
    agent: str
    email: str
    user: str
    password: str


class Command(BaseCommand):
    help = "Makes a site with its persona, an empty knowledge and a staff login."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", help="of the company, as visitors know it")
        parser.add_argument("--key", help="the public key in the script tag; made from the name")
        parser.add_argument(
            "--origin",
            action="append",
            type=origin,
            metavar="URL",
            help="of the website, like https://www.example.com; repeatable",
        )
        parser.add_argument("--language", type=language, help="of the website; en")
        parser.add_argument("--agent", help=f"the agent's name; {personas.DEFAULT_AGENT}")
        parser.add_argument("--email", help="who hears of leads and calls for help")
        parser.add_argument("--user", help=f"name of the staff login; {STAFF}")
        parser.add_argument("--password", help="of the staff login; otherwise one is made up")
        parser.add_argument(
            "--no-input", action="store_true", help="ask nothing; take what is usual for the rest"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._given = options
        self._asking = not options["no_input"] and sys.stdin.isatty()
        plan = self._plan()
        new_login = not has_login(plan.user)
        with transaction.atomic():
            _make(plan)
            if new_login:
                add_staff(plan.user, plan.password, plan.email)
        self._report(plan, new_login)

    # --- Asking ---------------------------------------------------------------------------------

    def _plan(self) -> Plan:
        name = self._value("name", "Name of the company", "", _name)
        key = self._value("key", "Public key of the site", slugify(name)[:40], _key)
        user = self._value("user", "Name of the staff login", STAFF, _user)
        return Plan(
            name=name,
            key=key,
            origins=self._origins(),
            language=self._value("language", "Language of the website", "en", language),
            agent=self._value("agent", "The agent's name", personas.DEFAULT_AGENT, _agent),
            email=self._value("email", "E-mail for new leads (may be empty)", "", _email),
            user=user,
            password="" if has_login(user) else self._password(user),
        )

    def _value(self, option: str, label: str, usual: str, check: Callable[[str], str]) -> str:
        given = self._given[option]
        if given is not None or not self._asking:
            return self._checked(check, usual if given is None else given, option)
        while True:
            answer = input(f"{label}{f' [{usual}]' if usual else ''}: ").strip() or usual
            try:
                return check(answer)
            except ArgumentTypeError as error:
                self.stderr.write(str(error))

    def _checked(self, check: Callable[[str], str], value: str, option: str) -> str:
        try:
            return check(value)
        except ArgumentTypeError as error:
            raise CommandError(f"--{option}: {error}") from None

    def _origins(self) -> list[str]:
        if self._given["origin"] is not None or not self._asking:
            return list(dict.fromkeys(self._given["origin"] or []))
        first = self._value("origin", "Address of the website (may be empty)", "", _origin_or_none)
        return [first] if first else []

    def _password(self, user: str) -> str:
        given = self._given["password"]
        if given is not None or not self._asking:
            made = given or secrets.token_urlsafe(9)
            return self._checked(lambda text: _password(text, user), made, "password")
        while True:
            typed = getpass(f"Password for {user} (empty: one is made up): ")
            try:
                return _password(typed, user) if typed else secrets.token_urlsafe(9)
            except ArgumentTypeError as error:
                self.stderr.write(str(error))

    # --- Reporting ------------------------------------------------------------------------------

    def _report(self, plan: Plan, new_login: bool) -> None:
        self.stdout.write(f"Made the site '{plan.key}' for {plan.name}, still without knowledge.")
        if new_login:
            made_up = plan.password != self._given["password"]
            password = f" with the password {plan.password}" if made_up else ""
            self.stdout.write(f"Made the staff login '{plan.user}'{password}.")
        else:
            self.stdout.write(f"The login '{plan.user}' was there already, and stays as it is.")
        if not plan.origins:
            self.stdout.write(
                "No website may embed it yet: add its address to the site in the admin."
            )
        host = settings.PUBLIC_URL or "https://YOUR-HOST"
        self.stdout.write("Next: write what the agent shall know, under Knowledge in the admin.")
        self.stdout.write("`manage.py createsuperuser` makes a login that may change the site too.")
        self.stdout.write("Put this into your pages:")
        self.stdout.write(f'<script src="{host}/widget.js" data-site="{plan.key}" async></script>')


def _make(plan: Plan) -> None:
    persona = personas.create(_free(Persona, f"{plan.agent[:40]} of {plan.name}"[:70]))
    personas.publish(personas.save_version(persona, agent_name=plan.agent, note="Set up"))
    Site.objects.create(
        key=plan.key,
        name=plan.name,
        allowed_origins="\n".join(plan.origins),
        persona=persona,
        collection=Collection.objects.create(name=_free(Collection, plan.name[:110])),
        language=plan.language,
        staff_emails=plan.email,
    )


def _free(model: type[Persona] | type[Collection], name: str) -> str:
    """The name, with a number where another one has it: a new site starts with its own."""
    taken, number, free = model._default_manager.filter, 1, name
    while taken(name=free).exists():
        number += 1
        free = f"{name} {number}"
    return free


# --- Checks of single values --------------------------------------------------------------------


def _name(text: str) -> str:
    if not text.strip() or len(text) > 120:
        raise ArgumentTypeError("Give the company's name, of 120 letters at most.")
    return text.strip()


def _key(text: str) -> str:
    field = Site._meta.get_field("key")
    try:
        field.run_validators(text)
    except ValidationError:
        text = ""
    if not text:
        raise ArgumentTypeError("Give a key of small letters, digits and dashes, 40 at most.")
    if Site.objects.filter(key=text).exists():
        raise ArgumentTypeError(f"There is a site {text!r} already. Change it in the admin.")
    return text


def _agent(text: str) -> str:
    if not text.strip() or len(text) > 60:
        raise ArgumentTypeError("Give the agent a name, of 60 letters at most.")
    return text.strip()


def _user(text: str) -> str:
    try:
        User._meta.get_field("username").run_validators(text)
    except ValidationError as error:
        raise ArgumentTypeError(" ".join(error.messages)) from None
    return text


def _email(text: str) -> str:
    try:
        if text:
            validate_email(text)
    except ValidationError:
        raise ArgumentTypeError(f"{text!r} is no e-mail address.") from None
    return text


def _origin_or_none(text: str) -> str:
    return origin(text) if text else ""


def _password(text: str, user: str) -> str:
    try:
        validate_password(text, User(username=user))
    except ValidationError as error:
        raise ArgumentTypeError(" ".join(error.messages)) from None
    return text
