"""Puts our admin site in the place of Django's (settings.INSTALLED_APPS)."""

from django.contrib.admin.apps import AdminConfig


class AlthingAdminConfig(AdminConfig):
    default_site = "config.admin_site.AlthingAdminSite"
