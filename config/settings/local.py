"""The demo and development on one machine: no TLS, the embedded engines' addresses."""

from ipaddress import ip_network

from config.settings.base import *  # noqa: F403
from config.settings.base import METRICS_ALLOWED_IPS, REST_FRAMEWORK, SECRET_KEY, STORAGES

# Sessions of a local chain guard nothing; the demo sets a random key of its own.
SECRET_KEY = SECRET_KEY or "local-only-" + "0" * 50
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
# On one machine whoever is on it may look.
METRICS_ALLOWED_IPS = METRICS_ALLOWED_IPS or [ip_network("127.0.0.0/8"), ip_network("::1/128")]
# The demo's whole fleet and its visitors share one address.
REST_FRAMEWORK = REST_FRAMEWORK | {
    "DEFAULT_THROTTLE_RATES": {**REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "write": "1200/min"}
}
