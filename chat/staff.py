"""Logins of sales staff."""

from django.contrib.auth.models import Group, User
from django.db import transaction

from chat.rights import STAFF_GROUP

STAFF = "staff"  # the usual name of the first login


def has_login(username: str) -> bool:
    return User.objects.filter(username=username).exists()


@transaction.atomic
def add_staff(username: str, password: str, email: str = "") -> User:
    """Makes a login that may do in the admin what sales staff do, and no more."""
    user = User.objects.create_user(username, email, password, is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=STAFF_GROUP)[0])
    return user
