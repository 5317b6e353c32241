"""Errors of backup and restore. Each text is one clear line."""


class BackupError(Exception):
    """Backup or restore failed. It left nothing that could be mistaken for a complete one."""
