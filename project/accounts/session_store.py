"""Django's database sessions. A session stays valid when SECRET_KEY changes (contract 4, SECRET_KEY_FALLBACKS)."""

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db

from integrations.base.old_secrets import SIGNING_KEY, note_use, signing_key


class SessionStore(db.SessionStore):
    """Records the use of an old key, and keeps the session key when Django signs the session again.

    Django would give such a session a new key and delete the old key. Then simultaneous requests would be redirected to
    the log-in page. The class has the same name as Django's, because the name is part of the signatures' salt.
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
        """Gives the session another key at a log-in and after a change of password. After a change of SECRET_KEY the
        session keeps its key."""
        if self.is_renewed and SESSION_KEY in self:
            self.is_renewed = False
        else:
            super().cycle_key()
