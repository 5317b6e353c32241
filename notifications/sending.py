"""Hands one written mail to the mail server (contract 3.9, Mail). Uses no database, so threads may send."""

import smtplib

import requests
from anymail.exceptions import AnymailAPIError, AnymailError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend

from notifications.smtp import Connect, WatchedBackend

FOR_NOW_STATUSES = {401, 403, 408, 429}  # HTTP codes of a mail provider that say nothing about this mail
# Faults of the connection or of our login, not of the mail: it is sent once they are repaired.
NOT_THE_MAILS_FAULT = (smtplib.SMTPAuthenticationError, smtplib.SMTPConnectError, smtplib.SMTPHeloError)


OUTAGES = {"connection", "timeout", "provider_trouble"}  # nobody answers, whatever the mail is
NO_MORE = {"code": "cause_says_all"}


class MailError(Exception):
    """The mail was not sent. `permanent`: this mail won't ever be taken. `code`: a short word for grouping.

    `params`: what stands beside the cause on pages, as a code with parameters; without it the message does.
    """

    def __init__(self, message: str, *, permanent: bool, code: str, params: dict | None = None):
        super().__init__(message)
        self.permanent = permanent
        self.code, self.params = code, params or {}

    @property
    def is_outage(self) -> bool:
        """Whether the next mail would meet the same: the server was not reached, or does not answer."""
        return self.code in OUTAGES


def send(payload: dict, *, connect: Connect | None = None) -> None:
    """Sends one mail to all its recipients. `payload` comes from `notifications.services.mail_payload`.

    `connect(host, port)` opens the connection to an SMTP server, so the caller can end the sending at any moment. A
    repeat has the same Message-ID. Raises MailError. It is not permanent after connection trouble, a time-out, a failed
    login or SMTP 4xx. It is permanent after SMTP 5xx, if all recipients are refused for good, and if there are none. If
    a server takes the mail for some of the recipients, the mail counts as sent.
    """
    if not payload["to"]:
        raise MailError(
            "nobody to send to: no contact has a mail address", permanent=True, code="no_recipients", params=NO_MORE
        )
    try:
        _message(payload, _backend(connect)).send()
    except smtplib.SMTPRecipientsRefused as error:
        raise _recipients_refused(error) from error
    except smtplib.SMTPResponseException as error:
        raise _smtp_error(error) from error
    except AnymailError as error:
        raise _provider_error(error) from error
    except (smtplib.SMTPException, requests.RequestException, OSError) as error:
        raise _from("mail server", error, permanent=False, code=_trouble(error)) from error
    except ValueError as error:  # an address or header that can't be written, BadHeaderError among them
        params = {"code": "mail_not_written", "why": _clean_text(error)}
        message = f"the mail can't be written: {_clean_text(error)}"
        raise MailError(message, permanent=True, code="bad_mail", params=params) from error


def _backend(connect: Connect | None) -> BaseEmailBackend:
    """The backend of the settings. A provider's backend, or the site's own, opens its connections itself."""
    usual = get_connection()
    return WatchedBackend(connect=connect) if connect and type(usual) is EmailBackend else usual


def _message(payload: dict, backend: BaseEmailBackend) -> EmailMessage:
    return EmailMessage(
        connection=backend,
        subject=payload["subject"],
        body=payload["body"],
        from_email=payload["from"],
        to=payload["to"],
        headers={"Message-ID": payload["message_id"]},
    )


def _from(whom: str, error: Exception, *, permanent: bool, code: str) -> MailError:
    """An error that tells a server's own words."""
    params = {"code": "partner_words", "words": _clean_text(error)}
    return MailError(f"{whom}: {_clean_text(error)}", permanent=permanent, code=code, params=params)


def _recipients_refused(error: smtplib.SMTPRecipientsRefused) -> MailError:
    codes = sorted(code for code, _ in error.recipients.values())
    permanent = bool(codes) and codes[0] >= 500
    return _from("all recipients refused", error, permanent=permanent, code="recipients_refused")


def _smtp_error(error: smtplib.SMTPResponseException) -> MailError:
    permanent = error.smtp_code >= 500 and not isinstance(error, NOT_THE_MAILS_FAULT)
    return _from("mail server", error, permanent=permanent, code=f"smtp_{error.smtp_code}")


def _provider_error(error: AnymailError) -> MailError:
    """An error of a mail provider behind anymail: an HTTP answer, or a mail that it can't take."""
    status = getattr(error, "status_code", None)
    if isinstance(error, AnymailAPIError):
        permanent = status is not None and 400 <= status < 500 and status not in FOR_NOW_STATUSES
        return _from("mail provider", error, permanent=permanent, code=f"provider_{status or 'trouble'}")
    return _from("mail provider", error, permanent=True, code="provider_refused")


def _trouble(error: Exception) -> str:
    """The error's code.

    smtplib turns a time-out while reading into a lost connection, with the time-out as its context.
    """
    slow = (TimeoutError, requests.Timeout)
    return "timeout" if isinstance(error, slow) or isinstance(error.__context__, slow) else "connection"


def _clean_text(error: Exception) -> str:
    """The error's text in a form that every database keeps: without U+0000 and halves of surrogate pairs."""
    said = f"{type(error).__name__} {error}"[:300]
    return said.encode("utf-8", "replace").decode().replace("\0", "?")
