"""The admin console: Django's, behind a second factor for every member of staff."""

from django_otp.admin import OTPAdminSite


class AlthingAdminSite(OTPAdminSite):
    login_template = "admin/login_otp.html"
    site_header = "Althing"
    site_title = "Althing console"
    index_title = "Console"
