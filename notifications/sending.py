"""Passes one rendered mail to the mail server (contract 3.9, Mail). Uses no database, so it can run in threads."""

import smtplib
from contextlib import closing
from ssl import SSLSocket

import requests
from anymail.exceptions import AnymailAPIError, AnymailError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend

from notifications.smtp import Connect, WatchedBackend

TEMPORARY_STATUSES = {401, 403, 408, 429}  # HTTP codes of a mail provider for faults that do not lie in the mail
# Errors of the connection or log-in. They do not lie in the mail, which is sent once they are fixed.
SERVER_ERRORS = (smtplib.SMTPAuthenticationError, smtplib.SMTPConnectError, smtplib.SMTPHeloError)

OUTAGES = {"connection", "timeout", "provider_trouble"}  # codes of a server that does not answer any mail
CAUSE_SAYS_ALL = {"code": "cause_says_all"}
NOT_WANTED = "not_wanted"  # the code of a mail that is dropped at sending because nobody needs it


class MailError(Exception):
    """The mail was not sent. `permanent` is True if a repeat would fail too. `code` is a short word for grouping.

    `params` is the text that pages show after the cause, as a code with parameters. If `params` is empty, pages show
    the message. If some recipients already have a final result, `left` is the payload of the repeat.
    """

    def __init__(self, message: str, *, permanent: bool, code: str, params: dict | None = None):
        super().__init__(message)
        self.permanent = permanent
        self.code, self.params = code, params or {}
        self.left: dict | None = None

    @property
    def is_outage(self) -> bool:
        """Returns True if the next mail would fail too: the server can't be reached or does not answer."""
        return self.code in OUTAGES


def send(payload: dict, *, connect: Connect | None = None, tls: type[SSLSocket] = SSLSocket) -> dict:
    """Sends a separate copy of a mail to each recipient, all over one connection. `payload` comes from `mail_payload`.

    `connect(host, port)` opens the connection to an SMTP server, so that the caller can close it at any moment. All
    copies and repeats have the same Message-ID. If the payload is `off`, nothing is sent.

    Returns the payload. Each recipient is in `got`, or in `refused` if the server refused the copy permanently. `to` is
    empty. The mail counts as sent if the server accepted at least one copy and refused all others permanently.

    Raises MailError. The error is temporary after a connection error, a time-out, a failed log-in or SMTP 4xx. Its
    `left` is then the payload of a repeat without the recipients that have a final result. The error is permanent after
    SMTP 5xx for all recipients, and if there are no recipients.
    """
    if payload.get("off"):
        return payload | {"got": [], "refused": []}
    if not payload["to"]:
        raise MailError(
            "nobody to send to: no contact has a mail address",
            permanent=True,
            code="no_recipients",
            params=CAUSE_SAYS_ALL,
        )
    got, refused = list(payload.get("got", ())), list(payload.get("refused", ()))
    to, errors, outage = [], [], None
    with closing(_backend(connect, tls)) as backend:
        for address in payload["to"]:
            error = outage or _send_alone(payload, address, backend)  # after an outage every recipient would time out
            fate = got if error is None else refused if error.permanent else to
            fate.append(address)
            errors += [error] if error else []
            outage = error if error and error.is_outage else None
    after = payload | {"to": to, "got": got, "refused": refused}
    if not to and got:
        return after
    error = next((error for error in errors if not error.permanent), errors[0])
    error.left = after if to and to != payload["to"] else None
    raise error


def greet(*, connect: Connect | None = None, tls: type[SSLSocket] = SSLSocket) -> None:
    """Connects to the mail server, and logs in if the settings require it. Raises MailError."""
    with closing(_backend(connect, tls)) as backend:
        try:
            backend.open()
        except smtplib.SMTPResponseException as error:
            raise _smtp_error(error) from error
        except (smtplib.SMTPException, requests.RequestException, OSError) as error:
            raise _from("mail server", error, permanent=False, code=_trouble(error)) from error


def _send_alone(payload: dict, address: str, backend: BaseEmailBackend) -> MailError | None:
    try:
        backend.open()
        _message(payload, address, backend).send()
    except smtplib.SMTPRecipientsRefused as error:
        return _recipient_refused(error)
    except smtplib.SMTPResponseException as error:
        return _smtp_error(error)
    except AnymailError as error:
        return _provider_error(error)
    except (smtplib.SMTPException, requests.RequestException, OSError) as error:
        return _from("mail server", error, permanent=False, code=_trouble(error))
    except ValueError as error:  # an invalid address or header, including BadHeaderError
        params = {"code": "mail_not_written", "why": _clean_text(error)}
        message = f"the mail can't be written: {_clean_text(error)}"
        return MailError(message, permanent=True, code="bad_mail", params=params)
    return None


def _backend(connect: Connect | None, tls: type[SSLSocket]) -> BaseEmailBackend:
    """Returns the mail backend of the settings. Only Django's SMTP backend uses `connect`. All other backends open
    their own connections."""
    usual = get_connection()
    return WatchedBackend(connect=connect, tls=tls) if connect and type(usual) is EmailBackend else usual


def _message(payload: dict, address: str, backend: BaseEmailBackend) -> EmailMessage:
    return EmailMessage(
        connection=backend,
        subject=payload["subject"],
        body=payload["body"],
        from_email=payload["from"],
        to=[address],
        headers={"Message-ID": payload["message_id"]},
    )


def _from(whom: str, error: Exception, *, permanent: bool, code: str) -> MailError:
    params = {"code": "partner_words", "words": _clean_text(error)}
    return MailError(f"{whom}: {_clean_text(error)}", permanent=permanent, code=code, params=params)


def _recipient_refused(error: smtplib.SMTPRecipientsRefused) -> MailError:
    permanent = all(code >= 500 for code, _ in error.recipients.values())
    return _from("recipient refused", error, permanent=permanent, code="recipients_refused")


def _smtp_error(error: smtplib.SMTPResponseException) -> MailError:
    permanent = error.smtp_code >= 500 and not isinstance(error, SERVER_ERRORS)
    return _from("mail server", error, permanent=permanent, code=f"smtp_{error.smtp_code}")


def _provider_error(error: AnymailError) -> MailError:
    status = getattr(error, "status_code", None)
    if isinstance(error, AnymailAPIError):
        permanent = status is not None and 400 <= status < 500 and status not in TEMPORARY_STATUSES
        return _from("mail provider", error, permanent=permanent, code=f"provider_{status or 'trouble'}")
    return _from("mail provider", error, permanent=True, code="provider_refused")


def _trouble(error: Exception) -> str:
    """Returns the error's code. If reading timed out, smtplib reports a lost connection, and the time-out is its
    context."""
    slow = (TimeoutError, requests.Timeout)
    return "timeout" if isinstance(error, slow) or isinstance(error.__context__, slow) else "connection"


def _clean_text(error: Exception) -> str:
    return f"{type(error).__name__} {error}"[:300].encode("utf-8", "replace").decode().replace("\0", "?")
