"""Background work: every task has one of the named queues; beat calls only tasks that exist."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.conf import settings

from config.celery import app

QUEUES = {"index", "execute", "verify", "notify"}
OWN_APPS = ("chain", "network", "treasury", "governance")


def own_tasks() -> list[str]:
    app.loader.import_default_modules()
    return sorted(task for task in app.tasks if task.split(".")[0] in OWN_APPS)


def queue_of(task: str, options: Mapping[str, Any] | None = None) -> str:
    route = app.amqp.router.route(dict(options or {}), task)
    return str(getattr(route["queue"], "name", route["queue"]))


def test_every_task_names_its_queue() -> None:
    tasks = own_tasks()
    assert "chain.tasks.index_tick" in tasks
    assert {task: queue_of(task) for task in tasks if queue_of(task) not in QUEUES} == {}


@pytest.mark.parametrize("entry", sorted(settings.CELERY_BEAT_SCHEDULE))
def test_beat_calls_a_task_that_exists_in_a_queue_that_is_worked(entry: str) -> None:
    scheduled = settings.CELERY_BEAT_SCHEDULE[entry]
    assert scheduled["task"] in own_tasks()
    assert queue_of(scheduled["task"], scheduled.get("options")) in QUEUES
    # A tick that waits behind a slow one must lapse, or they pile up.
    assert scheduled["options"]["expires"] > 0
