"""The groups of staff: made by `migrate`, and just the rights they need."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db.models.signals import post_migrate

from chat.rights import ADMIN_GROUP, LEAD_GROUP, STAFF_GROUP

pytestmark = pytest.mark.django_db

GIVEN = {
    "chat.view_conversation",
    "chat.change_conversation",  # to close one
    "chat.take_conversation",
    "chat.export_conversation",
    "chat.set_question_aside",
    "chat.view_cannedreply",
    "chat.add_cannedreply",
    "chat.change_cannedreply",
    "chat.view_message",
    "chat.view_visitor",
    "chat.view_site",
    "chat.view_lead",
    "chat.add_lead",
    "chat.change_lead",
    "chat.view_persona",
    "chat.add_persona",
    "chat.change_persona",
    "chat.view_personaversion",
    "chat.add_personaversion",
    "chat.view_spend",
    "chat.view_modelprice",
    "knowledge.view_collection",
    "knowledge.add_collection",
    "knowledge.change_collection",
    "knowledge.view_entry",
    "voice.view_clip",
    "knowledge.add_entry",
    "knowledge.change_entry",
}


# What the next group has beside that.
LEAD = {
    "chat.release_conversation",
    "chat.delete_cannedreply",
    "chat.view_staffprofile",
    "chat.change_staffprofile",
}
ADMIN = {
    "chat.delete_visitor",  # and so all that is stored of one
    "chat.add_site",
    "chat.change_site",
    "chat.delete_site",
    "chat.delete_lead",
    "chat.delete_persona",
    "chat.stop_paid_calls",
    "chat.add_modelprice",
    "chat.change_modelprice",
    "chat.delete_modelprice",
    "chat.add_staffprofile",
    "chat.delete_staffprofile",
    "knowledge.delete_collection",
    "knowledge.delete_entry",
    *(f"auth.{act}_user" for act in ("view", "add", "change", "delete")),
    *(f"auth.{act}_group" for act in ("view", "add", "change", "delete")),
}


def rights(group: str = STAFF_GROUP) -> set[str]:
    member = User.objects.create_user("vera")
    member.groups.add(Group.objects.get(name=group))
    return member.get_all_permissions()


def migrated_again() -> None:
    for config in apps.get_app_configs():
        post_migrate.send(
            config, app_config=config, verbosity=0, interactive=False, using="default", plan=[]
        )


def test_migrate_makes_the_group_with_just_these_rights() -> None:
    assert rights() == GIVEN


@pytest.mark.parametrize(("group", "more"), [(LEAD_GROUP, LEAD), (ADMIN_GROUP, LEAD | ADMIN)])
def test_each_further_group_has_more(group: str, more: set[str]) -> None:
    assert rights(group) == GIVEN | more


def test_a_second_migrate_changes_nothing() -> None:
    migrated_again()
    assert rights() == GIVEN
    assert Group.objects.filter(name=STAFF_GROUP).count() == 1


def test_a_right_that_an_administrator_added_stays() -> None:
    extra = Permission.objects.get(codename="delete_lead")
    Group.objects.get(name=STAFF_GROUP).permissions.add(extra)
    migrated_again()
    assert rights() == GIVEN | {"chat.delete_lead"}


def test_a_deleted_group_comes_back_complete() -> None:
    Group.objects.all().delete()
    migrated_again()
    assert rights() == GIVEN


@pytest.mark.django_db(transaction=True)
def test_a_flushed_database_has_it_again() -> None:
    call_command("flush", interactive=False, verbosity=0)
    assert rights() == GIVEN
