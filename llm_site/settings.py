"""All settings of the product, read from LLM_* variables; README lists those an installer may set."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

import environ
from django.templatetags.static import static
from django.utils.translation import gettext_lazy

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

DATA_DIR = Path(env.str("LLM_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
if DATA_DIR.stat().st_uid == os.getuid():
    DATA_DIR.chmod(0o700)  # the database and the keys in it are nobody else's to read


def _kept_secret() -> str:
    """Read the secret key of the data folder, making it at first start."""
    path = DATA_DIR / "secret_key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(50))
    return path.read_text()


def _socket_path() -> str:
    """Name the Redis socket: in the data folder, or in /tmp where that path is too long for a socket (107 bytes)."""
    path = str(DATA_DIR / "redis.sock")
    if len(path.encode()) <= 107:
        return path
    return f"/tmp/llm-{hashlib.sha256(path.encode()).hexdigest()[:16]}.sock"


SECRET_KEY = env.str("LLM_SECRET_KEY", default="") or _kept_secret()
DEBUG = env.bool("LLM_DEBUG", default=False)
EDITION = env.str("LLM_EDITION", default="unlimited")
ACCEPT_STATIONS = env.str("LLM_ACCEPT_STATIONS", default="pending")
PORT = env.int("LLM_PORT", default=8000)
ALLOWED_HOSTS = env.list("LLM_ALLOWED_HOSTS", default=["*"])
CSRF_TRUSTED_ORIGINS = env.list("LLM_TRUSTED_ORIGINS", default=[])
WEB_ID = env.str("LLM_WEB_ID", default="web")
TLS_PORT = env.int("LLM_TLS_PORT", default=8443)
TLS_CERT = env.str("LLM_TLS_CERT", default="")
TLS_KEY = env.str("LLM_TLS_KEY", default="")
TLS_CLIENT_CA = env.str("LLM_TLS_CLIENT_CA", default="")
MDNS = env.bool("LLM_MDNS", default=True)
MODBUS_PORT = env.int("LLM_MODBUS_PORT", default=0)
MODBUS_ADDRESS = env.str("LLM_MODBUS_ADDRESS", default="127.0.0.1")
TRUSTED_PROXIES = env.list("LLM_TRUSTED_PROXIES", default=[])

INSTALLED_APPS = [
    "daphne",
    "unfold.apps.BasicAppConfig",
    "llm_site.apps.LlmAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_countries",
    "django_htmx",
    "solo",
    "ninja",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "auditlog",
    "accounts",
    "badges",
    "stations",
    "energy",
    "exports",
    "llm_site",
]

MIDDLEWARE = [
    "llm_site.api_errors.errors_as_json",
    "llm_site.addresses.refuse_nul",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.middleware.secure_session_cookie",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.language.language_of_user",
    "accounts.origin.note_request",
    "accounts.middleware.password_change_first",
    "llm_site.first_start.middleware.lead_through_first_start",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "llm_site.clock.installation_time_zone",
]

ROOT_URLCONF = "llm_site.urls"
ASGI_APPLICATION = "llm_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "llm_site" / "templates"],  # before those of the admin
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "llm_site.context.product",
            ],
        },
    }
]

DATABASES: dict[str, Any] = {
    "default": env.db_url("LLM_DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'llm.sqlite3'}"),
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE and the time-out let several writers take turns; FULL keeps what was acknowledged through a power cut.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; "
        "PRAGMA cache_size=-16000;",
    }
    # Tests use a file too: a database in memory locks differently.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

REDIS_SOCKET = _socket_path()
REDIS_URL = env.str("LLM_REDIS_URL", default="") or f"unix://{REDIS_SOCKET}"

# redis-py 8 gives connections a read time-out by default, which cuts the layer's blocking reads.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None, "max_connections": 10_000}]},
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)

IS_EMAIL_SET = bool(env.str("LLM_EMAIL_URL", default=""))
if IS_EMAIL_SET:
    globals().update(env.email_url("LLM_EMAIL_URL"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("LLM_EMAIL_FROM", default="llm@localhost")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.permissions.RoleBackend"]
# Administrators may everything; who is not named here sees the dashboard. Advanced users manage Standard users only.
ROLE_PERMISSIONS = {
    "advanced": [
        *(f"badges.{verb}_badge" for verb in ("view", "add", "change", "delete")),
        "badges.view_badgesettings",
        "badges.view_refusal",
        *(f"accounts.{verb}_user" for verb in ("view", "add", "change", "delete")),
    ],
}
AUTH_PASSWORD_VALIDATORS = [{"NAME": "accounts.passwords.FiveRules"}]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "overview"
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# One lock-out counts all tries (accounts/tries.py); a code is good for its 30 s and those before and after.
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0
OTP_TOTP_SYNC = False

AUDITLOG_STORE_JSON_CHANGES = True
AUDITLOG_USE_FK_STRING_REPRESENTATION = True  # a circuit's name says more than its number, above all once it is gone

NINJA_PAGINATION_CLASS = "llm_site.pages.Pages"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "llm_site" / "locale"]
FORMAT_MODULE_PATH = ["llm_site.formats"]
USE_TZ = True
TIME_ZONE = "UTC"

UNFOLD = {  # its looks are in static/admin.css, its frame in templates/admin/base.html
    "SITE_TITLE": gettext_lazy("Local load manager"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("icon.svg")}],
    "BORDER_RADIUS": "8px",
    "STYLES": [
        lambda _request: static("tokens.css"),
        lambda _request: static("frame.css"),
        lambda _request: static("admin.css"),
    ],
    "SCRIPTS": [lambda _request: static("frame.js")],
}

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"no_outcomes": {"()": "llm_site.api_errors.OutcomesAreNoErrors"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LLM_LOG_LEVEL", default="INFO")},
    "loggers": {
        "daphne": {"level": "WARNING"},
        "django.channels": {"level": "WARNING"},
        "django.request": {"filters": ["no_outcomes"]},
        "pymodbus.logging": {"level": "CRITICAL"},
    },
}
