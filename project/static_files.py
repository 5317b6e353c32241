"""The storage of static files: hashed names once `collectstatic` has run, plain ones straight from the apps before."""

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class DeskStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Always writes the manifest; names files by it only in a process that serves what was collected.

    So the first `collectstatic` of a checkout is like every later one, and tests and the demo need none.
    """

    def url(self, name: str, force: bool = False) -> str:
        """The address of a file. A process that started without a manifest serves no hashed names until it restarts."""
        if settings.WHITENOISE_USE_FINDERS and not force:
            return StaticFilesStorage.url(self, name)
        return super().url(name, force)
