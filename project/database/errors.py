"""Why a copy could not be made or put back, in one clear line."""


class BackupError(Exception):
    """Nothing was made that could be taken for a whole one."""
