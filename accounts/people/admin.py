"""People in the admin: their rights and limits, and ways to stop them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_guard import confirm_before
from accounts.audit.events import record_event
from accounts.audit.kinds import PASSWORD_CHANGED, RIGHTS_CHANGED
from accounts.deletion.admin import DeferredDeletionMixin
from accounts.deletion.erasure import is_deletion_pending, lock_administrators
from accounts.factors.reset import reset_factors
from accounts.models import User, UserLimits
from accounts.password_change import AccountChanged
from accounts.people.activation import (
    ActivationRefused,
    activate,
    deactivate,
    end_sessions,
    report_activation,
)
from accounts.people.addresses import AddressTakenMixin
from accounts.people.facts import annotate_facts
from accounts.people.forms import NewPersonForm, PersonForm, PersonPasswordForm
from accounts.people.rights import is_superuser, may_touch
from accounts.sign_up import lock_address
from accounts.user_limits.admin import UserLimitsInline, record_changed_limits

RIGHTS_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")
FACTS = ("open_sessions", "has_second_factor", "key_count", "unfinished_replies")


@admin.register(User)
class UserAdmin(DeferredDeletionMixin, AddressTakenMixin, DjangoUserAdmin):
    """Only a superuser gives rights, or changes a person who has some. Otherwise a permission to
    change people would be every permission: a new password signs in as them."""

    form = PersonForm
    add_form = NewPersonForm
    change_password_form = PersonPasswordForm
    inlines = (UserLimitsInline,)
    list_display = (
        "email",
        "name",
        "is_active",
        "is_staff",
        *FACTS,
        "last_login",
        "date_joined",
    )
    list_filter = ("is_staff", "is_active", "date_joined")
    search_fields = ("email", "name")
    actions = ("deactivate_people", "activate_people", "end_sessions_of", "remove_factors")
    ordering = ("-date_joined",)
    date_hierarchy = "date_joined"
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("name", "background_replies")}),
        (_("Permissions"), {"fields": ("is_active", *RIGHTS_FIELDS)}),
        (_("Facts"), {"fields": ("date_joined", "last_login", *FACTS)}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return annotate_facts(super().get_queryset(request))

    @admin.display(description=_("open sessions"), ordering="sessions_open")
    def open_sessions(self, person: Any) -> int:
        return int(person.sessions_open)

    @admin.display(description=_("second factor"), boolean=True)
    def has_second_factor(self, person: Any) -> bool:
        return bool(person.has_factor)

    @admin.display(description=_("keys"), ordering="keys_stored")
    def key_count(self, person: Any) -> int:
        return int(person.keys_stored)

    @admin.display(description=_("unfinished replies"), ordering="replies_unfinished")
    def unfinished_replies(self, person: Any) -> int:
        return int(person.replies_unfinished)

    def lock_row(self, row: User) -> None:
        """Also lock the administrators, whom the form may lock later: two requests that lock in
        different orders would wait for each other."""
        lock_administrators(row)

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, **kwargs)
        form.actor = request.user  # the class is made for this request
        return form

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """The owner changes the address. allauth stores it in a table of its own, with its
        confirmation, and would otherwise accept the old one."""
        fields = ["date_joined", "last_login", *FACTS]
        if obj is None:
            return fields
        if not is_superuser(request):
            fields += RIGHTS_FIELDS
        return ["email", *fields, *(["is_active"] if is_deletion_pending(obj) else [])]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_touch(request, obj)

    def save_model(self, request: HttpRequest, user: User, form: Any, change: bool) -> None:
        if not change:
            lock_address(user.email)  # after the password was hashed, which takes a while
        super().save_model(request, user, form, change)
        changed = set(form.changed_data)
        if change and "is_active" in changed:
            report_activation(user, request)
        if rights := sorted(changed.intersection(RIGHTS_FIELDS)):
            record_event(RIGHTS_CHANGED, user, request=request, fields=", ".join(rights))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is UserLimits:
            record_changed_limits(request, form.instance, formset)

    @admin.action(description=_("Deactivate"), permissions=["change"])
    def deactivate_people(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._change_each(request, queryset.filter(is_active=True), deactivate)

    @admin.action(description=_("Activate again"), permissions=["change"])
    def activate_people(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._change_each(request, queryset.filter(is_active=False), activate)

    @admin.action(description=_("End all sessions"), permissions=["change"])
    def end_sessions_of(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        count = end_sessions(self._select_changeable(request, queryset), request)
        sentence = ngettext("%(count)s session ended.", "%(count)s sessions ended.", count)
        messages.success(request, sentence % {"count": count})

    @admin.action(description=_("Remove lost second factors"), permissions=["change"])
    def remove_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        people = self._select_changeable(request, queryset)
        count = sum(bool(reset_factors(user, request)) for user in people)
        sentence = ngettext("Removed for %(count)s person.", "Removed for %(count)s people.", count)
        messages.success(request, sentence % {"count": count})

    def _change_each(
        self,
        request: HttpRequest,
        queryset: QuerySet[User],
        change: Callable[[User, HttpRequest], None],
    ) -> None:
        count = 0
        for user in self._select_changeable(request, queryset):
            try:
                change(user, request)
            except ActivationRefused as refusal:
                messages.error(request, f"{user}: {refusal}")
            else:
                count += 1
                self.log_change(request, user, [{"changed": {"fields": ["is_active"]}}])
        sentence = ngettext("%(count)s account changed.", "%(count)s accounts changed.", count)
        level = messages.SUCCESS if count else messages.WARNING
        messages.add_message(request, level, sentence % {"count": count})

    def _select_changeable(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        people = list(queryset)
        changeable = [user for user in people if self.has_change_permission(request, user)]
        if len(changeable) < len(people):
            messages.error(request, _("Only a superuser changes people who have rights."))
        return changeable

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Notify the owner of the password, too."""
        view = confirm_before(super().user_change_password)
        try:
            answer: HttpResponse = view(request, id, form_url)
        except AccountChanged:
            messages.error(
                request, _("The account was changed meanwhile. The password is not stored.")
            )
            return HttpResponseRedirect(request.path)
        return answer

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        if self._is_password_change(request):
            record_event(PASSWORD_CHANGED, obj, request=request)
            get_adapter().send_notification_mail("account/email/password_changed", obj)
        return super().log_change(request, obj, message)

    def _is_password_change(self, request: HttpRequest) -> bool:
        match = request.resolver_match
        return match is not None and match.url_name == "auth_user_password_change"
