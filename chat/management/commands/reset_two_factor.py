"""Takes the second step of the login from somebody who has lost phone and recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from chat import twofactor


class Command(BaseCommand):
    help = "Forgets the app and the recovery codes of a login; its next login sets them up anew."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no login {options['username']!r}.")
        twofactor.forget(user)
        self.stdout.write(f"Two-factor login of {user} is reset.")
