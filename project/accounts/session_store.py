"""Django's sessions in the database, which outlive a change of SECRET_KEY (contract 4, SECRET_KEY_FALLBACKS)."""

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db

from integrations.base.old_secrets import SIGNING_KEY, note_use, signing_key


class SessionStore(db.SessionStore):
    """Notes the use of an old key, and keeps the session's own key when Django signs it anew.

    Django gives such a session another key and deletes it under the first. Whatever a page asks at the same moment
    would then be led to the log-in. The class keeps Django's name, from which the signatures' salt is made.
    """

    is_renewed = False

    def decode(self, session_data: str) -> dict:
        if settings.SECRET_KEY_FALLBACKS:
            key = signing_key(session_data, self.key_salt)
            if key and key != settings.SECRET_KEY:
                note_use(SIGNING_KEY, key)
                self.is_renewed = True
        return super().decode(session_data)

    def cycle_key(self) -> None:
        """A session gets another key at a log-in and with another password, but not with another SECRET_KEY."""
        if self.is_renewed and SESSION_KEY in self:
            self.is_renewed = False
        else:
            super().cycle_key()
