"""Everything. The other modules here say only what differs."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from config.env import BASE_DIR, database_from_url, read_environment, split

ENV = read_environment()

# --- Identity -----------------------------------------------------------------
SECRET_KEY = ENV.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = split(ENV.secret_key_fallbacks)
DEBUG = False
ALLOWED_HOSTS = split(ENV.allowed_hosts)
SITE_URL = ENV.site_url.rstrip("/")
# EIP-4361 `domain`: from settings and never from the Host header.
SITE_DOMAIN = urlsplit(SITE_URL).netloc
DAO_NAME = ENV.dao_name
DEMO_MODE = ENV.demo_mode

# --- Applications ---------------------------------------------------------------
INSTALLED_APPS = [
    "config.admin.AlthingAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_filters",
    "django_htmx",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "chain",
    "network",
    "treasury",
    "governance",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "governance.siwe.SiweMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "governance.api.status.IndexHeaderMiddleware",
    # Last, as django-axes asks: it sees the outcome of every login.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "governance.context.site",
            ],
        },
    },
]

# --- Data -----------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {"default": database_from_url(ENV.database_url)}
DATABASES["default"]["ATOMIC_REQUESTS"] = False
# A page that needs longer than 15 s is a bug, and an idle transaction holds locks.
DATABASES["default"]["OPTIONS"] |= {
    "options": "-c statement_timeout=15000 -c idle_in_transaction_session_timeout=60000",
}
# Kept open for 60 s: a connection costs more than most of our queries.
DATABASES["default"]["CONN_MAX_AGE"] = 60
# Asked once per request: after a restart of the database the first page must not be an error.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

CACHES: dict[str, dict[str, Any]] = {
    "default": {
        # Goes on with each process's own memory while the server is away (docs/adr/0014).
        "BACKEND": "chain.cache.ResilientCache",
        "LOCATION": ENV.cache_url or ENV.celery_broker_url,
        "KEY_PREFIX": "althing",
    }
}

# --- Chain ----------------------------------------------------------------------
RPC_URL = ENV.rpc_url
RPC_URLS = ENV.rpc_urls
CHAIN_VERIFY_RECEIPTS = ENV.chain_verify_receipts
CHAIN_VERIFY_HEADERS = ENV.chain_verify_headers
RPC_URL_SECOND = ENV.rpc_url_second
CHAIN_ID = ENV.chain_id
ALTHING_DEPLOYMENT = (
    ENV.althing_deployment
    if str(ENV.althing_deployment) not in {"", "."}
    else BASE_DIR / "deployments" / f"{ENV.chain_id}.json"
)
# "finalized", or a depth in blocks for local chains.
CHAIN_FINALITY = ENV.chain_finality
CHAIN_REORG_WINDOW = ENV.chain_reorg_window
KEEPER_KEYSTORE = ENV.althing_keeper_keystore
KEEPER_PASSPHRASE_FILE = ENV.althing_keeper_passphrase_file
KEEPER_SIGNER_URL = ENV.althing_keeper_signer_url.get_secret_value()
KEEPER_SIGNER_ADDRESS = ENV.althing_keeper_signer_address
ATTESTOR_KEYSTORE = ENV.althing_attestor_keystore
ATTESTOR_PASSPHRASE_FILE = ENV.althing_attestor_passphrase_file
ATTESTOR_SIGNER_URL = ENV.althing_attestor_signer_url.get_secret_value()
ATTESTOR_SIGNER_ADDRESS = ENV.althing_attestor_signer_address
# Units and reasons stand beside the variables in config/env.py.
KEEPER_MAX_FEE_PER_GAS_WEI = ENV.althing_keeper_max_fee_per_gas_wei
KEEPER_MIN_BALANCE_WEI = ENV.althing_keeper_min_balance_wei
KEEPER_DAILY_GAS_WEI = ENV.althing_keeper_daily_gas_wei
KEEPER_MIN_TIP_WEI = ENV.althing_keeper_min_tip_wei
KEEPER_BUMP_AFTER_S = ENV.althing_keeper_bump_after_s
KEEPER_OVERDUE_S = ENV.althing_keeper_overdue_s
KEEPER_DRY_RUN = ENV.althing_keeper_dry_run
# Blocks behind the head at which the freshness strip turns amber, then red.
FRESHNESS_AMBER_BLOCKS = 5
FRESHNESS_RED_BLOCKS = 25

# --- Nodes ----------------------------------------------------------------------
EAR_KEY_PATH = ENV.althing_ear_key
# Production asks for a key before it serves anything; elsewhere verdicts may go unsigned.
EAR_KEY_REQUIRED = False
EMULATOR_ROOT_DIR = ENV.althing_emulator_root
#: How long bodies of reports are kept at least; never less than slash.dispute_window and a day.
EVIDENCE_RETENTION_S = ENV.althing_evidence_retention_s
RIM_DIR = ENV.althing_rim_dir
ATTEST_CONCURRENCY = ENV.althing_attest_concurrency
RIM_URL = ENV.althing_rim_url
OCSP_URL = ENV.althing_ocsp_url
OCSP_NONCE = ENV.althing_ocsp_nonce
# Collateral is fetched by https only; tests serve it themselves.
COLLATERAL_HTTP_LOOPBACK = False

# Seconds: long enough to be told by asking every minute, too short to bring cards from elsewhere.
COMPUTE_NOTICE_S = ENV.althing_compute_notice_s
# How opened rows are checked where both ways are possible: "freivalds" costs the node megabytes
# and the service milliseconds, "recompute" kilobytes and seconds (docs/compute_challenge.md).
COMPUTE_CHECK = ENV.althing_compute_check
COMPUTE_EMULATED_N = int(ENV.althing_compute_emulated_n)

# --- Background work --------------------------------------------------------------
CELERY_BROKER_URL = ENV.celery_broker_url
CELERY_TASK_IGNORE_RESULT = True
# A tick lost with its worker comes again; running it twice is harmless (rows lock).
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Seconds. A tick that hangs on a node must not hold its queue.
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ROUTES = {
    "chain.tasks.index_*": {"queue": "index"},
    "chain.tasks.outbox_*": {"queue": "execute"},
    "governance.tasks.keeper_*": {"queue": "execute"},
    "governance.tasks.*": {"queue": "notify"},
    "network.tasks.suspensions_*": {"queue": "execute"},
    "network.tasks.*": {"queue": "verify"},
}
# Seconds between ticks; `expires` drops the ticks that pile up behind a slow one.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "index": {
        "task": "chain.tasks.index_tick",
        "schedule": timedelta(seconds=1),
        "options": {"queue": "index", "expires": 2},
    },
    "outbox": {
        "task": "chain.tasks.outbox_tick",
        "schedule": timedelta(seconds=2),
        "options": {"queue": "execute", "expires": 4},
    },
    "keeper": {
        "task": "governance.tasks.keeper_tick",
        "schedule": timedelta(seconds=3),
        "options": {"queue": "execute", "expires": 6},
    },
    "suspensions": {
        "task": "network.tasks.suspensions_tick",
        "schedule": timedelta(seconds=5),
        "options": {"queue": "execute", "expires": 10},
    },
    "transactions": {
        "task": "governance.tasks.transactions_tick",
        "schedule": timedelta(seconds=2),
        "options": {"queue": "notify", "expires": 4},
    },
    # Each certificate says itself when it is due; a minute is the finest step between them.
    "collateral": {
        "task": "network.tasks.collateral_tick",
        "schedule": timedelta(seconds=60),
        "options": {"queue": "verify", "expires": 50},
    },
    # Rounds are told 90 s ahead, so a lost tick or two change nothing.
    "compute": {
        "task": "network.tasks.compute_tick",
        "schedule": timedelta(seconds=10),
        "options": {"queue": "verify", "expires": 20},
    },
    # A minute: what is open is compared often enough to be acted on, and the rest in turn.
    "reconcile": {
        "task": "governance.tasks.reconcile_tick",
        "schedule": timedelta(seconds=60),
        "options": {"queue": "notify", "expires": 50},
    },
    # An epoch is a day; a minute is soon enough to cut and post it.
    "epochs": {
        "task": "network.tasks.epochs_tick",
        "schedule": timedelta(seconds=60),
        "options": {"queue": "verify", "expires": 50},
    },
    # Days are made three ahead, so an hour is often enough.
    "partitions": {
        "task": "network.tasks.partitions_tick",
        "schedule": timedelta(hours=1),
        "options": {"queue": "verify", "expires": 3000},
    },
}

# --- API ------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["governance.siwe.SiweAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_PARSER_CLASSES": ["chain.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "chain.api.pagination.CursorPage",
    "DEFAULT_SCHEMA_CLASS": "chain.api.schema.ApiSchema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "chain.api.negotiation.JsonOnlyNegotiation",
    "EXCEPTION_HANDLER": "chain.api.errors.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["chain.api.throttles.AddressThrottle"],
    # Reads of one address; writes have their own, tighter rates.
    "DEFAULT_THROTTLE_RATES": {
        "anon": "600/min",
        "siwe": "30/min",
        "write": "60/min",
        "comment": "10/min",
        "node": "20/min",
        # A node of 128 GPUs sends one opening for each.
        "compute": "300/min",
    },
    # With 0 the connection's own address counts, whatever a client writes into a header.
    "NUM_PROXIES": ENV.trusted_proxies,
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 25,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Althing API",
    "DESCRIPTION": "Proposals, parameters, nodes and their verdicts.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Fields of one name with different words, told apart in the description.
    "ENUM_NAME_OVERRIDES": {
        "NodeStatusEnum": "network.models.NodeStatus.choices",
        "NodeKeyStatusEnum": "network.models.NodeKeyStatus.choices",
        "ComputeRoundStatusEnum": "network.models.RoundStatus.choices",
        "ComputeTaskStatusEnum": "network.models.TaskStatus.choices",
        "VerdictStatusEnum": "network.models.VerdictStatus.choices",
        "EpochStatusEnum": "network.api.serializers.epochs.EPOCH_STATUSES",
        "ProposalKindEnum": "governance.models.proposals.ProposalKind.choices",
        "ProposalStateEnum": "governance.api.serializers.STATE_CHOICES",
    },
}
# Bytes. Larger bodies are refused before they are parsed.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 512

# --- Sessions and sign-in ---------------------------------------------------------
# In the database alone: a sign-in must survive the cache, and a sign-out must not be undone by one
# that was away when it happened.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 60 * 60  # seconds; absolute, checked again by governance.siwe
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Five wrong passwords lock an account and address pair for half an hour.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=30)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_IPWARE_PROXY_COUNT = ENV.trusted_proxies
OTP_TOTP_ISSUER = DAO_NAME
ADMIN_PATH = ENV.admin_path.strip("/")

# --- Browser security --------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "microphone", "geolocation", "payment", "fullscreen")
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
# Smart-wallet pop-ups need to talk back to the page that opened them.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin-allow-popups"

# --- Monitoring ---------------------------------------------------------------------
# Who may read /metrics; with neither it does not exist. Balances and hosts are nobody's business.
METRICS_ALLOWED_IPS = ENV.metrics_allowed_ips
METRICS_TOKEN = ENV.metrics_token.get_secret_value()

# --- Language, time, files -----------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Built by the bootstrap from frontend/; absent until then.
STATICFILES_DIRS = [path for path in [BASE_DIR / "frontend" / "dist"] if path.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Logs -------------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": ENV.log_level},
}
