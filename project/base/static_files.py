"""The storage of static files: hashed names after `collectstatic`, and plain names from the apps before."""

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class DeskStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Always writes the manifest, and uses it only in a process that serves collected files: tests need none."""

    def url(self, name: str, force: bool = False) -> str:
        """A file's address. A process that started without a manifest uses no hashed names until it restarts."""
        if settings.WHITENOISE_USE_FINDERS and not force:
            return StaticFilesStorage.url(self, name)
        return super().url(name, force)
