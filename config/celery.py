"""The Celery application. Tasks live in the apps' ``tasks`` modules."""

import os

from celery import Celery

# The package imports this module first, so what is the default here is it for everything that does
# not name its settings: the safe ones. manage.py names the local ones before.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

app = Celery("althing")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
