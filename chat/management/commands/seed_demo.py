"""Makes the demo: a site, its persona and knowledge, three conversations, and a staff login."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from chat import demo
from chat.management.arguments import origin
from chat.staff import STAFF, add_staff, has_login


class Command(BaseCommand):
    help = "Makes the site 'demo' and the staff login 'staff'. Run again it changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--password", help="of the staff login; otherwise one is made up")
        parser.add_argument(
            "--origin",
            action="append",
            default=[],
            type=origin,
            metavar="URL",
            help="where the widget may be embedded too, like https://www.example.com; repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        planted = demo.plant()
        if planted:
            count = len(demo.entries())
            self.stdout.write(f"Made the site 'demo': {demo.COMPANY}, with {count} entries.")
        allowed = demo.allow(options["origin"])
        for each in allowed:
            self.stdout.write(f"The demo may be embedded on {each} now.")
        # Whoever deleted the login of an older demo gets it back only by asking for it.
        login = (planted or options["password"]) and not has_login(STAFF)
        if login:
            self._add_staff(options["password"])
        if not (planted or allowed or login):
            self.stdout.write("The demo is there already: nothing changed.")

    def _add_staff(self, given: str | None) -> None:
        password = given or secrets.token_urlsafe(9)
        add_staff(STAFF, password)
        said = "the password you gave" if given else f"the password {password}"
        self.stdout.write(f"Made the staff login '{STAFF}' with {said}.")
