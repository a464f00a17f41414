"""The demo and development on one machine: no TLS, the embedded engines' addresses."""

from config.settings.base import *  # noqa: F403
from config.settings.base import REST_FRAMEWORK, SECRET_KEY, STORAGES

# Sessions of a local chain guard nothing; the demo sets a random key of its own.
SECRET_KEY = SECRET_KEY or "local-only-" + "0" * 50
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
# The demo's whole fleet and its visitors share one address.
REST_FRAMEWORK = REST_FRAMEWORK | {
    "DEFAULT_THROTTLE_RATES": {**REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "write": "1200/min"}
}
