"""The console looks at the network's tables and changes none of them, but a key's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticDevice

from network.attestation.emulator.gpu import Behaviour, EmulatedGpu
from network.models import AttestationState, Incident, IncidentEvent, NodeKeyEvent, Verdict
from tests.network.conftest import World
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


@pytest.fixture
def staff() -> Client:
    """A superuser with a second factor."""
    user = User.objects.create_superuser("alice", password="not a secret")
    device = StaticDevice.objects.create(user=user, name="backup")
    client = Client()
    client.force_login(user)
    session = client.session
    session["otp_device_id"] = device.persistent_id
    session.save()
    return client


def test_every_table_is_listed_and_read_only(make_node: MakeNode, staff: Client) -> None:
    node = make_node()
    assert node.attest().status_code == 201
    models = [model for model in admin.site._registry if model._meta.app_label == "network"]
    assert set(models) == set(apps.get_app_config("network").get_models())
    for model in models:
        name = f"network_{model._meta.model_name}"
        listed = staff.get(reverse(f"admin:{name}_changelist"))
        assert listed.status_code == 200, name
        assert staff.get(reverse(f"admin:{name}_add")).status_code == 403, name
        row = model.objects.first()  # type: ignore[attr-defined]
        if row is None:
            continue
        # A primary key of bytes has no address in the console; those rows are only listed.
        if isinstance(row.pk, bytes):
            continue
        change = reverse(f"admin:{name}_change", args=[row.pk])
        assert staff.get(change).status_code == 200, name
        assert staff.post(change, {}).status_code == 403, name
        delete = reverse(f"admin:{name}_delete", args=[row.pk])
        assert staff.post(delete, {"post": "yes"}).status_code == 403, name


def test_an_incident_is_released_or_dismissed_with_a_reason(
    make_node: MakeNode, staff: Client
) -> None:
    node = make_node(gpu_count=1)
    assert node.attest().status_code == 201
    address = reverse("admin:network_incident_changelist")
    good = node.gpus[0]
    for decision, left in (("release", 2), ("dismiss", 0)):
        node.gpus[0] = replace(good, behaviour=Behaviour(bad_signature=True))
        while not Incident.objects.filter(state="open").exists():
            assert node.attest().status_code == 201
        incident = Incident.objects.get(state="open")
        action: dict[str, Any] = {
            "action": f"incidents_{decision}",
            "_selected_action": [incident.pk],
            "reason": " ",
        }
        answer = staff.post(address, action, follow=True)
        assert "Say why" in answer.content.decode()
        assert Incident.objects.filter(state="open").exists()
        answer = staff.post(address, action | {"reason": "It was our manifest."}, follow=True)
        assert f"is {decision}" in answer.content.decode()
        event = IncidentEvent.objects.latest("pk")
        assert (event.actor, event.reason) == ("staff alice", "It was our manifest.")
        assert AttestationState.objects.get().strikes == left
        # Closed, it is decided no more.
        answer = staff.post(address, action | {"reason": "Again."}, follow=True)
        assert "closed already" in answer.content.decode()
    # Names of staff are for the console alone.
    shown = Client().get(f"{node.path}/incidents/").content.decode()
    assert "alice" not in shown
    assert '"by":"staff"' in shown.replace(": ", ":")


def test_a_key_is_revoked_with_a_reason(make_node: MakeNode, staff: Client) -> None:
    node = make_node()
    address = reverse("admin:network_nodekey_changelist")
    action: dict[str, Any] = {
        "action": "keys_revoke",
        "_selected_action": [node.public_key.hex()],
        "reason": "",
    }
    answer = staff.post(address, action, follow=True)
    assert "Say why" in answer.content.decode()
    assert node.post("challenges").status_code == 201

    answer = staff.post(address, action | {"reason": "The host was stolen."}, follow=True)
    assert "is revoked" in answer.content.decode()
    event = NodeKeyEvent.objects.get(action="revoked")
    assert (event.actor, event.reason) == ("staff alice", "The host was stolen.")
    refused = node.post("challenges")
    assert (refused.status_code, refused.json()["code"]) == (401, "key_unknown")


def test_rejudge_from_the_command_line(
    make_node: MakeNode, service: World, emulator: tuple[Any, Any]
) -> None:
    node = make_node(gpu_count=1)
    changed = Behaviour(changed_measurements=frozenset({9}))
    node.gpus = [EmulatedGpu(emulator[1], "command", behaviour=changed)]
    assert node.attest().json()["verdict"]["status"] == "warning"
    service.parameters_set(attest__enforce_measurements=1)
    service.settle()
    for expected in ("1 reports judged again", "0 reports judged again"):
        out = StringIO()
        call_command("rejudge", node.node_id.hex(), stdout=out)
        assert expected in out.getvalue()
    assert list(Verdict.objects.order_by("id").values_list("policy_version", flat=True)) == [0, 1]
    with pytest.raises(CommandError, match="no node id"):
        call_command("rejudge", "0x12")
