"""Connects as DATABASE_URL says."""

import dj_database_url

SECRET_KEY = "of a test"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": dj_database_url.config()}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
