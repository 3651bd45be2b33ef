"""Members of staff: their logins, and what the holder of a session may see and do."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from chat import twofactor
from chat.models import StaffProfile
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


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the staff, as they were when the database was asked.

    `sites` are the ids of those whose talks they see; None: all.
    """

    user: int
    name: str
    rights: frozenset[str]
    sites: frozenset[int] | None
    notify: bool = True
    sound: bool = True

    def may(self, *actions: str) -> bool:
        """Whether they have each of these rights of chat, as in `view_conversation`."""
        return all(f"chat.{action}" in self.rights for action in actions)

    def sees(self, site: int) -> bool:
        return self.sites is None or site in self.sites


def member_of(user: Any) -> Member:
    """What is known of a login; `user` is one of staff."""
    profile = StaffProfile.objects.filter(user=user).prefetch_related("sites").first()
    name = user.first_name or user.get_username()
    rights = frozenset(user.get_all_permissions())
    if profile is None:
        return Member(user.pk, name, rights, None)
    sites = frozenset(site.pk for site in profile.sites.all())
    bound = sites and not user.is_superuser
    return Member(
        user.pk,
        profile.shown_name or name,
        rights,
        sites if bound else None,
        profile.notify,
        profile.sound,
    )


def member(session: str) -> Member | None:
    """Who holds a session by its cookie; None: nobody of the staff, or not any more."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session)
    user = get_user(request)
    if not user.is_authenticated or not user.is_active or not user.is_staff:
        return None
    if twofactor.held_up(user, request.session):
        return None
    return member_of(user)


def seen_by(user: Any, rows: QuerySet[Any], field: str = "site") -> QuerySet[Any]:
    """Of `rows` those of the sites that a member of staff sees."""
    sites = None if user.is_superuser else _sites(user)
    return rows if sites is None else rows.filter(**{f"{field}__in": sites})


def _sites(user: Any) -> list[int] | None:
    chosen = StaffProfile.sites.through.objects.filter(staffprofile__user_id=user.pk)
    return list(chosen.values_list("site_id", flat=True)) or None
