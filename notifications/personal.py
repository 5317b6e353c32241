"""How phones, mails and names of people look to those who may not read them. Pure text, no lengths kept."""

import re

MAIL = re.compile(r"([A-Za-z0-9])[A-Za-z0-9._%+-]*@([A-Za-z0-9.-]+)")
MOBILE = re.compile(r"(?<![0-9A-Za-z])(1[0-9]{2})[0-9]{6}([0-9]{2})(?![0-9A-Za-z])")
PHONE = re.compile(r"(?<![0-9A-Za-z])(\+?[0-9]{3})[0-9-]{3,}([0-9]{2})(?![0-9A-Za-z])")


def mask_name(name: str) -> str:
    """`张三丰` becomes `张**`."""
    return f"{name[0]}**" if name else ""


def mask_phone(phone: str) -> str:
    """`13700001234` becomes `137***34`; what does not look like a phone vanishes altogether."""
    masked = PHONE.sub(r"\1***\2", phone)
    return masked if masked != phone or not phone else "***"


def mask_mail(mail: str) -> str:
    """`zhang@example.com` becomes `z***@example.com`; what does not look like a mail vanishes altogether."""
    masked = MAIL.sub(r"\1***@\2", mail)
    return masked if masked != mail or not mail else "***"


def mask_text(text: str) -> str:
    """Mails, and mainland mobile numbers, in running text."""
    return MOBILE.sub(r"\1***\2", MAIL.sub(r"\1***@\2", text))
