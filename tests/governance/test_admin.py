"""The console: a second factor for everybody, and no hand on what the chain wrote."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from chain.models import Signer
from governance.admin.base import ReadOnlyAdmin
from governance.models import KeeperSwitch, ModerationAction, Report
from governance.services import comments
from tests.governance.conftest import Dao

pytestmark = [pytest.mark.django_db]

ADMIN = f"/{settings.ADMIN_PATH}/"


def staff(name: str, *roles: str) -> str:
    """Make a member of staff by the command; return the password."""
    out = io.StringIO()
    arguments = [argument for role in roles for argument in ("--role", role)]
    call_command("create_staff", name, *arguments, stdout=out)
    found = re.search(r"password: (\S+)", out.getvalue())
    assert found
    assert "otpauth://totp/" in out.getvalue()
    return found[1]


def token(name: str) -> str:
    device = TOTPDevice.objects.get(user__username=name)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    return f"{totp.token():06d}"


def login(client: Client, name: str, password: str, otp: str) -> bool:
    device = TOTPDevice.objects.get(user__username=name)
    answer = client.post(
        f"{ADMIN}login/?next={ADMIN}",
        {
            "username": name,
            "password": password,
            "otp_device": device.persistent_id,
            "otp_token": otp,
        },
    )
    return answer.status_code == 302


def test_password_alone_does_not_open_it(client: Client) -> None:
    password = staff("ada", "superuser")
    assert not login(client, "ada", password, "")
    assert not login(client, "ada", password, "000000")
    assert client.get(ADMIN).status_code == 302
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert login(client, "ada", password, token("ada"))
    assert client.get(ADMIN).status_code == 200


def test_five_wrong_passwords_lock(client: Client) -> None:
    password = staff("ada", "superuser")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        login(client, "ada", "wrong", "000000")
    assert not login(client, "ada", password, token("ada"))


def test_create_staff_again_needs_reset() -> None:
    staff("ada")
    with pytest.raises(CommandError, match="--reset"):
        staff("ada")
    before = TOTPDevice.objects.get().key
    call_command("create_staff", "ada", "--reset", stdout=io.StringIO())
    assert TOTPDevice.objects.get().key != before


@pytest.fixture
def console(client: Client) -> Client:
    password = staff("ada", "moderator", "operator")
    assert login(client, "ada", password, token("ada"))
    return client


def test_every_page_of_the_console_opens(console: Client) -> None:
    user = get_user_model().objects.get()
    user.is_superuser = True
    user.save()
    for model in admin.site._registry:
        url = f"{ADMIN}{model._meta.app_label}/{model._meta.model_name}/"
        assert console.get(url).status_code == 200, url


def test_indexed_tables_cannot_be_touched(console: Client) -> None:
    user = get_user_model().objects.get()
    user.is_superuser = True
    user.save()
    for model, page in admin.site._registry.items():
        if not isinstance(page, ReadOnlyAdmin) or model is KeeperSwitch:
            continue
        url = f"{ADMIN}{model._meta.app_label}/{model._meta.model_name}/add/"
        assert console.get(url).status_code == 403, url
        assert not page.has_delete_permission(console.get(ADMIN).wsgi_request)


def test_the_switch_is_turned_with_a_reason_and_kept(console: Client) -> None:
    url = f"{ADMIN}governance/keeperswitch/add/"
    assert console.post(url, {"paused": "on", "reason": "  "}).status_code == 200
    assert not KeeperSwitch.objects.exists()
    answer = console.post(url, {"paused": "on", "reason": "Looking"})
    assert answer.status_code == 302, answer.content
    row = KeeperSwitch.objects.get()
    assert (row.paused, row.reason, row.changed_by.get_username()) == (True, "Looking", "ada")
    change = console.post(f"{ADMIN}governance/keeperswitch/{row.pk}/change/", {"reason": "x"})
    assert change.status_code == 403


def run_action(console: Client, model: str, action: str, *pks: Any) -> str:
    answer = console.post(
        f"{ADMIN}governance/{model}/",
        {"action": action, "_selected_action": [str(pk) for pk in pks]},
        follow=True,
    )
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.chain
def test_the_queue_from_report_to_two_person_unhide(console: Client, dao: Dao) -> None:
    proposal = dao.indexed(dao.propose(description="# Airdrop"))
    who = dao.accounts[3].address
    comment = comments.comment_add(account=who, proposal_id=proposal.proposal_id, body="Click me")
    report = comments.report_make(
        account=dao.accounts[4].address, reason="scam", comment_id=comment.pk
    )
    queue = console.get(f"{ADMIN}governance/report/").content.decode()
    assert "Click me" in queue
    run_action(console, "report", "hide_and_ban", report.pk)
    comment.refresh_from_db()
    assert comment.hidden_reason == "scam"
    assert Report.objects.get().settled_at is not None
    run_action(console, "comment", "unhide", comment.pk)
    again = run_action(console, "comment", "unhide", comment.pk)
    assert "second moderator has to agree" in again
    second = Client()
    password = staff("bob", "moderator")
    assert login(second, "bob", password, token("bob"))
    run_action(second, "comment", "unhide", comment.pk)
    comment.refresh_from_db()
    assert comment.hidden_at is None
    acts = ModerationAction.objects.order_by("pk").values_list("act", "moderator__username")
    assert list(acts) == [
        ("hide", "ada"),
        ("ban", "ada"),
        ("unhide_request", "ada"),
        ("unhide", "bob"),
    ]


@pytest.mark.chain
def test_staff_without_the_right_only_look(client: Client, dao: Dao) -> None:
    proposal = dao.indexed(dao.propose())
    password = staff("eve")
    assert login(client, "eve", password, token("eve"))
    run_action(client, "proposal", "hide_spam", proposal.pk)
    assert not ModerationAction.objects.exists()
    assert client.get(f"{ADMIN}governance/keeperswitch/add/").status_code == 403


def test_a_key_is_paused_and_resumed_with_a_name(console: Client) -> None:
    signer = Signer.objects.create(
        chain_id=31337, address=b"k" * 20, max_fee_per_gas_wei=1, min_balance_wei=1
    )
    for action, paused in (("pause", True), ("resume", False)):
        answer = console.post(
            f"{ADMIN}chain/signer/", {"action": action, "_selected_action": [str(signer.pk)]}
        )
        assert answer.status_code == 302
        signer.refresh_from_db()
        assert signer.paused is paused
    assert list(signer.events.values_list("action", "actor")) == [
        ("resume", "ada"),
        ("pause", "ada"),
    ]
