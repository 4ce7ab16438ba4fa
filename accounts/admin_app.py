"""Django's admin with a site of ours."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class AuditedAdminConfig(AdminConfig):
    default = False
    default_site = "accounts.admin_site.AuditedAdminSite"
