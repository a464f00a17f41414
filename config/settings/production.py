"""A real deployment: TLS in front, secrets from files, nothing guessed."""

from django.core.exceptions import ImproperlyConfigured

from config.settings.base import *  # noqa: F403
from config.settings.base import DEMO_MODE, EMULATOR_ROOT_DIR, SECRET_KEY, SITE_URL

if len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY (or SECRET_KEY_FILE) needs at least 50 characters.")
if not SITE_URL.startswith("https://"):
    raise ImproperlyConfigured("SITE_URL must start with https://: wallets sign it.")
if DEMO_MODE:
    raise ImproperlyConfigured("DEMO_MODE offers a wallet with public keys; unset it.")
if EMULATOR_ROOT_DIR is not None:
    raise ImproperlyConfigured("ALTHING_EMULATOR_ROOT trusts emulated GPUs; unset it.")

EAR_KEY_REQUIRED = True

SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# The __Host- prefix binds a cookie to this very host over TLS.
SESSION_COOKIE_NAME = "__Host-sid"
CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
