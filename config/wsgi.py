"""WSGI entry point: ``gunicorn config.wsgi``; ``config.celery`` names the settings."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from network.verification import ear_keys_check

application = get_wsgi_application()

if settings.EAR_KEY_REQUIRED:
    # Here and not in the settings: of all processes only this one holds the key.
    ear_keys_check()
