"""compose.yaml and the Dockerfile agree with the settings: every queue worked, every name read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from config.env import Environment

BASE_DIR = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((BASE_DIR / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "althing"}
DOCKERFILE = (BASE_DIR / "Dockerfile").read_text(encoding="utf-8")


def worked_queues(service: dict[str, Any]) -> set[str]:
    command = service.get("command", [])
    return set(command[command.index("-Q") + 1].split(",")) if "-Q" in command else set()


def test_every_queue_has_exactly_one_worker() -> None:
    worked = [queue for service in OURS.values() for queue in worked_queues(service)]
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    beaten = {entry["options"]["queue"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert sorted(worked) == sorted(routed | beaten)


def test_there_is_one_beat_one_web_and_one_migration() -> None:
    beats = [name for name, service in OURS.items() if "beat" in service.get("command", [])]
    assert beats == ["beat"]
    assert {"web", "migrate", "postgres", "valkey"} <= set(SERVICES)


@pytest.mark.parametrize("name", sorted(OURS))
def test_service_sets_only_variables_that_are_read(name: str) -> None:
    known = {field.upper() for field in Environment.model_fields} | {"DJANGO_SETTINGS_MODULE"}
    given = {variable.removesuffix("_FILE") for variable in OURS[name]["environment"]}
    unknown = {variable for variable in given if variable not in known} - {
        # They are files themselves, so their own names end in _FILE.
        "ALTHING_KEEPER_PASSPHRASE",
        "ALTHING_ATTESTOR_PASSPHRASE",
    }
    assert unknown == set()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_secret_files_a_service_names_are_given_to_it(name: str) -> None:
    service = SERVICES[name]
    values = map(str, service.get("environment", {}).values())
    used = {match[1] for value in values for match in re.finditer(r"/run/secrets/(\w+)", value)}
    assert used == set(service.get("secrets", []))
    assert used <= set(COMPOSE["secrets"])


@pytest.mark.parametrize("account", ["keeper", "attestor"])
def test_only_the_executing_worker_sees_the_keys_that_send(account: str) -> None:
    holders = [
        name
        for name, service in SERVICES.items()
        if f"{account}_keystore" in service.get("secrets", [])
    ]
    assert holders == ["worker-execute"]
    assert worked_queues(SERVICES["worker-execute"]) == {"execute"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_service_runs_without_privileges(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged", False)


def test_nothing_but_the_web_listens_and_that_on_loopback_only() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:8000:8000"]}


def test_image_serves_from_the_base_lock_as_an_ordinary_user() -> None:
    final = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER althing$", final, re.MULTILINE)
    assert final.index("USER althing") < final.index("\nCMD ")
    assert "--require-hashes -r /requirements/base.txt" in DOCKERFILE
    assert "dev.txt" not in DOCKERFILE
    copied = set(re.findall(r"^COPY (\S+) \S+$", final, re.MULTILINE))
    assert {"config", "chain", "network", "treasury", "governance", "templates"} <= copied
    for source in copied - {"--from=packages", "--from=pages"}:
        assert (BASE_DIR / source).exists(), source
