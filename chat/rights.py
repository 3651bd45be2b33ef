"""What sales staff may do, as a group that is there after every `migrate`."""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

STAFF_GROUP = "Sales staff"

STAFF_RIGHTS: dict[str, tuple[str, ...]] = {
    "chat.conversation": ("view", "change"),  # to close one; its pages change nothing else
    "chat.message": ("view",),
    "chat.visitor": ("view",),
    "chat.site": ("view",),
    "chat.lead": ("view", "change"),
    "chat.persona": ("view", "add", "change"),  # to publish is to change
    "chat.personaversion": ("view", "add"),
    "chat.spend": ("view",),
    "chat.modelprice": ("view",),  # what bounds the bill is changed by administrators
    "voice.clip": ("view",),
    "knowledge.collection": ("view", "add", "change"),
    "knowledge.entry": ("view", "add", "change"),
}


def grant(sender: AppConfig, using: str = "default", **_: Any) -> None:
    """Handles `post_migrate`: gives the group the rights it lacks, and takes none away.

    Not in a migration, because permissions are made only after the last one has run.
    """
    # Rights are made app by app; those of the last app exist once its own signal has come.
    if sender.label != last_label():
        return
    wanted = Q(pk__in=[])
    for name, actions in STAFF_RIGHTS.items():
        label, model = name.split(".")
        codenames = [f"{action}_{model}" for action in actions]
        wanted |= Q(content_type__app_label=label, codename__in=codenames)
    group, _created = Group.objects.using(using).get_or_create(name=STAFF_GROUP)
    group.permissions.add(*Permission.objects.using(using).filter(wanted))


def last_label() -> str:
    """The app named in `STAFF_RIGHTS` that `migrate` reaches last."""
    named = {name.split(".")[0] for name in STAFF_RIGHTS}
    return [app.label for app in apps.get_app_configs() if app.label in named][-1]
