"""The site that the module replaces, as far as the bench needs it.

Everything that differs from one run to the next comes from the environment:

    BENCH_DATABASE   JSON object with NAME, USER, HOST and PORT
    BENCH_REDIS      a redis URL; without it nothing is cached
"""

import json
import os

DEBUG = False
SECRET_KEY = "only for the bench, which signs nothing"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = ["tournaments"]

# The bench polls without logging in, so that the peer is spared what a real
# site's sessions and users would cost it.
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 600,
        **json.loads(os.environ.get("BENCH_DATABASE", "{}")),
    }
}

if os.environ.get("BENCH_REDIS"):
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ["BENCH_REDIS"],
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.dummy.DummyCache",
        }
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
