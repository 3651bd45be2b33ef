"""What the groups of staff may do; they are there after every `migrate`."""

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

STAFF_GROUP = "Sales staff"
LEAD_GROUP = "Sales lead"
ADMIN_GROUP = "Administrator"

# By model; an action makes a permission with the model's name, unless it is one by itself.
Rights = Mapping[str, tuple[str, ...]]
EVERYTHING = ("view", "add", "change", "delete")

STAFF_RIGHTS: Rights = {
    # To close one is to change it; its pages change nothing else.
    "chat.conversation": ("view", "change", "take", "export"),
    "chat.cannedreply": ("view", "add", "change"),
    "chat.setaside": ("set_question_aside",),
    "chat.message": ("view",),
    "chat.visitor": ("view",),
    "chat.site": ("view",),
    "chat.lead": ("view", "add", "change"),
    "chat.persona": ("view", "add", "change"),  # to publish is to change
    "chat.personaversion": ("view", "add"),
    "chat.spend": ("view",),
    "chat.modelprice": ("view",),  # what bounds the bill is changed by administrators
    "voice.clip": ("view",),
    "knowledge.collection": ("view", "add", "change"),
    "knowledge.entry": ("view", "add", "change"),
}
# What the next group has beside that of the one before.
LEAD_RIGHTS: Rights = {
    "chat.conversation": ("release",),
    "chat.staffprofile": ("view", "change"),
    "chat.cannedreply": ("delete",),
}
ADMIN_RIGHTS: Rights = {
    "chat.visitor": ("delete",),
    "chat.site": ("add", "change", "delete"),
    "chat.lead": ("delete",),
    "chat.persona": ("delete",),
    "chat.brake": ("stop_paid_calls",),
    "chat.modelprice": ("add", "change", "delete"),
    "chat.staffprofile": ("add", "delete"),
    "knowledge.collection": ("delete",),
    "knowledge.entry": ("delete",),
    "auth.user": EVERYTHING,
    "auth.group": EVERYTHING,
}
GROUPS: Mapping[str, tuple[Rights, ...]] = {
    STAFF_GROUP: (STAFF_RIGHTS,),
    LEAD_GROUP: (STAFF_RIGHTS, LEAD_RIGHTS),
    ADMIN_GROUP: (STAFF_RIGHTS, LEAD_RIGHTS, ADMIN_RIGHTS),
}


def grant(sender: AppConfig, using: str = "default", **_: Any) -> None:
    """Handles `post_migrate`: gives each group the rights it lacks, and takes none away.

    Not in a migration, because permissions are made only after the last one has run.
    """
    # Rights are made app by app; those of the last app exist once its own signal has come.
    if sender.label != last_label():
        return
    for name, parts in GROUPS.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        wanted = Permission.objects.using(using).filter(_named(parts))
        group.permissions.add(*wanted)


def _named(parts: tuple[Rights, ...]) -> Q:
    wanted = Q(pk__in=[])
    for rights in parts:
        for name, actions in rights.items():
            label, model = name.split(".")
            codenames = [act if "_" in act else f"{act}_{model}" for act in actions]
            wanted |= Q(content_type__app_label=label, codename__in=codenames)
    return wanted


def last_label() -> str:
    """The app named in the rights that `migrate` reaches last."""
    every = (name for parts in GROUPS.values() for rights in parts for name in rights)
    named = {name.split(".")[0] for name in every}
    return [app.label for app in apps.get_app_configs() if app.label in named][-1]
