"""Users and groups, with Unfold's forms and filters; what each of the staff sets for the desk."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from chat.admin.deleting import CountedDeletion
from chat.admin.twofactor import Resets, TwoFactor
from chat.models import CannedReply, StaffProfile
from chat.staff import seen_by

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(Resets, CountedDeletion, BaseUserAdmin, ModelAdmin):
    along = "logentry"  # all they did, each conversation that they opened
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_superuser")
    list_filter = ("groups", "is_active", "is_superuser")
    actions = ("reset_two_factor",)


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, ModelAdmin):
    pass


@admin.register(StaffProfile)
class StaffProfileAdmin(TwoFactor):
    """Everybody of the staff sets their own; whose sites they see is for who may change all."""

    list_display = ("user", "shown_name", "notify", "sound", "email")
    list_select_related = ("user",)
    fieldsets = (
        (None, {"fields": ("user", "shown_name")}),
        (_("How I am told"), {"fields": ("notify", "sound", "email")}),
        (_("What I see"), {"fields": ("sites",)}),
    )
    filter_horizontal = ("sites",)
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        mine = self.admin_site.admin_view(self.mine_view)
        return [path("mine/", mine, name="chat_staffprofile_mine"), *super().get_urls()]

    def mine_view(self, request: HttpRequest) -> HttpResponse:
        """To the row of whoever asks, made if there is none yet."""
        row, _made = StaffProfile.objects.get_or_create(user_id=request.user.pk)
        return HttpResponseRedirect(reverse("admin:chat_staffprofile_change", args=[row.pk]))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _own(request, obj) or super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _own(request, obj) or super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        all_of_them = request.user.has_perm("chat.change_staffprofile")
        return ("user",) if all_of_them else ("user", "sites")


def _own(request: HttpRequest, row: StaffProfile | None) -> bool:
    return row is not None and row.user_id == request.user.pk


@admin.register(CannedReply)
class CannedReplyAdmin(ModelAdmin):
    list_display = ("title", "site")
    list_select_related = ("site",)
    search_fields = ("title", "text")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.filter(site=None) | seen_by(request.user, rows)
