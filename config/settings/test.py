"""Tests: the real engines, started by tests/plugins/engines.py, and faster hashing."""

from config.settings.local import *  # noqa: F403
from config.settings.local import REST_FRAMEWORK

SECRET_KEY = "test-" + "0" * 50
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files straight from their sources; without it whitenoise warns of the folder that only
# collectstatic makes.
WHITENOISE_AUTOREFRESH = True
CHAIN_FINALITY = "2"
COMPUTE_EMULATED_N = 64
# The throttles' own tests set the real rates; the others must not meet them.
REST_FRAMEWORK = REST_FRAMEWORK | {
    "DEFAULT_THROTTLE_RATES": dict.fromkeys(
        REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"],
        "100000/min",
    )
}
# Vendors' servers are played by servers of the tests.
COLLATERAL_HTTP_LOOPBACK = True
# The lockout's banner would be the last line of every test run.
AXES_VERBOSE = False
