import pytest

from notifications.models import Contact


@pytest.fixture
def contact(db):
    """Returns a function. `contact("BJ", "sa@example.com", role="copy")` adds a contact."""

    def add(letters: str, mail: str, role: str = "sa", active: bool = True, name: str = "", tel: str = "1"):
        return Contact.objects.create(
            attribution_id=letters, mail=mail, role=role, active=active, name=name or mail.split("@")[0], tel=tel
        )

    return add
