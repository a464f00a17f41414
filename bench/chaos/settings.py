"""The tests' settings, with the chain's parameters left to the environment."""

import os

from config.env import read_environment
from config.settings import local
from config.settings.test import *  # noqa: F403
from config.settings.test import INSTALLED_APPS, LOGGING

INSTALLED_APPS = [*INSTALLED_APPS, "bench.chaos"]
# What Django's test client calls itself, and gunicorn's clients.
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
CHAIN_FINALITY = read_environment().chain_finality
# Wei per gas: below the spikes that must wait, above those that need only a bump.
KEEPER_MAX_FEE_PER_GAS_WEI = 200 * 10**9
# Seconds of the workers' own clock, which ticks a second per look.
KEEPER_BUMP_AFTER_S = 3
# The flood meets the throttles that a deployment has; nothing else here is about them.
if os.environ.get("CHAOS_REAL_THROTTLES"):
    REST_FRAMEWORK = local.REST_FRAMEWORK
# A thousand refused requests are the point here, and no news.
LOGGING = LOGGING | {"loggers": {"django": {"level": "CRITICAL"}}}
