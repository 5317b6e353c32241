"""The storage of static files. After `collectstatic`, names are hashed. Before it, plain names from the apps' folders
are used."""

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class DeskStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Always writes the manifest. Reads it only in a process that serves collected files, so tests need no manifest."""

    def url(self, name: str, force: bool = False) -> str:
        """Returns a file's URL. A process that started without a manifest returns plain names until it restarts."""
        if settings.WHITENOISE_USE_FINDERS and not force:
            return StaticFilesStorage.url(self, name)
        return super().url(name, force)
