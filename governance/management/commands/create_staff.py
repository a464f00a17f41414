"""Make a member of staff, with the second factor the console demands."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

#: What each role may do besides looking.
ROLES = {"moderator": ["moderate"], "operator": ["switch_keeper"]}


class Command(BaseCommand):
    help = (
        "Creates a staff account and prints, once, its password and the otpauth address of its "
        "second factor (scan it with an authenticator app)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--role",
            action="append",
            choices=[*ROLES, "superuser"],
            default=[],
            help="moderator: discussion. operator: the keeper's switch. superuser: everything.",
        )
        parser.add_argument("--reset", action="store_true", help="New password and second factor.")

    @transaction.atomic
    def handle(
        self, *args: Any, username: str, role: list[str], reset: bool, **options: Any
    ) -> None:
        users = get_user_model().objects
        user = users.filter(username=username).first()
        if user is not None and not reset:
            raise CommandError(f"{username} exists. Use --reset to give new credentials.")
        if user is None:
            user = users.create_user(username)
        password = secrets.token_urlsafe(18)
        user.set_password(password)
        user.is_staff = True
        user.is_superuser = user.is_superuser or "superuser" in role
        user.save()
        wanted = [name for one in role for name in ROLES.get(one, [])]
        looks = Permission.objects.filter(
            content_type__app_label__in=["governance", "chain", "network", "treasury"],
            codename__startswith="view_",
        )
        acts = Permission.objects.filter(content_type__app_label="governance", codename__in=wanted)
        user.user_permissions.set([*looks, *acts])
        TOTPDevice.objects.filter(user=user).delete()
        device = TOTPDevice.objects.create(user=user, name="authenticator", confirmed=True)
        self.stdout.write(f"username: {username}")
        self.stdout.write(f"password: {password}")
        self.stdout.write(f"second factor: {device.config_url}")
