"""Staff action that erases the personal data of a line (contract 3.14)."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.actions.action import Action
from orders.erasing.erase_line import erase_line
from orders.erasing.over_lines import is_over, line_of, why_not_erase
from orders.order_words.ladder.step_stages import Facts
from orders.texts.errors import NotAllowedError

MAX_NAMED = 5


def _why_not(facts: Facts) -> NotAllowedError | None:
    order = facts.order
    if not is_over(order):
        return NotAllowedError("erase_not_over", number=order.number, state=order.state)
    return why_not_erase(order, facts.now)


def _erasing(facts: Facts) -> list[str]:
    numbers = list(line_of(facts.order).values_list("number", flat=True))
    named = _(", ").join([*numbers[:MAX_NAMED], *(["…"] if len(numbers) > MAX_NAMED else [])])
    return [
        ngettext(
            "The operator's name, phone and mail are erased for good in %(n)d order: %(orders)s",
            "The operator's name, phone and mail are erased for good in %(n)d orders: %(orders)s",
            len(numbers),
        )
        % {"n": len(numbers), "orders": named},
        _("So are operators and opinions of approvals, and info-security files that no other order names."),
        _("Numbers, states, times and billing records stay."),
        _("None of these orders can be sent or opened again afterwards."),
    ]


ERASE = Action(
    key="erase",
    label=gettext_lazy("Erase personal data"),
    permission="orders.erase_personal_data",
    four_eyes="erase",
    danger=True,
    done=gettext_lazy("The personal data are erased."),
    why_not=_why_not,
    says=_erasing,
    service=erase_line,
)
