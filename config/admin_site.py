"""The admin console: Django's, behind a second factor for every member of staff."""

from django.contrib.admin.apps import AdminConfig
from django_otp.admin import OTPAdminSite


class AlthingAdminSite(OTPAdminSite):
    site_header = "Althing"
    site_title = "Althing console"
    index_title = "Console"


class AlthingAdminConfig(AdminConfig):
    default_site = "config.admin_site.AlthingAdminSite"
