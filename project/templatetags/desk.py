"""Tags for the desk's own admin templates."""

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.history.actors import actor_of
from orders.lists.change_list import MAX_COUNTED
from orders.lists.list_query import NOT_OF_THE_FILTER
from orders.lists.registration import LISTS, list_of
from orders.lists.scope import UnlimitedOnly, is_unlimited, why_blind
from orders.lists.time_cells import ago
from orders.office.bulk.acts import acts_on
from orders.office.exports.lists import may_export
from orders.office.saved_views.tabs import views_over
from orders.order_words import pause_words
from orders.order_words.history import PARTNER_NAMES
from project.dashboard.partners_and_worker import worker_of
from project.manual.pages import STATES, page_explaining
from project.observability.desk_snapshot import DeskSnapshot

register = template.Library()
register.simple_tag(ago, name="ago")


@register.simple_tag(takes_context=True)
def help_address(context) -> str:
    """Returns the address of the manual's page that explains the current page."""
    match = getattr(context.get("request"), "resolver_match", None)
    return reverse("admin:manual", args=[page_explaining(match.view_name if match else "").slug])


@register.simple_tag
def state_help(order) -> str:
    """Returns the manual's address for this order's state. For a held order, returns the address for the reason of the
    hold."""
    anchor = f"held-{order.held_because}" if order.held_because else f"order-{order.state}"
    return f"{reverse('admin:manual', args=[STATES])}#{anchor}"


@register.simple_tag
def rows_of(changelist) -> str:
    """Returns the number of rows as a text: `12 orders`, or above MAX_COUNTED `More than 10,000 orders`."""
    number, opts = changelist.result_count, changelist.opts
    if number > MAX_COUNTED:
        return _("More than %(number)s %(name)s") % {"number": f"{MAX_COUNTED:,}", "name": opts.verbose_name_plural}
    name = opts.verbose_name if number == 1 else opts.verbose_name_plural
    return _("%(number)s %(name)s") % {"number": f"{number:,}", "name": name}


@register.simple_tag
def exported_rows(count: int) -> str:
    if count > MAX_COUNTED:
        return _("More than %(number)s rows") % {"number": f"{MAX_COUNTED:,}"}
    return ngettext("%(number)s row", "%(number)s rows", count) % {"number": f"{count:,}"}


@register.simple_tag(takes_context=True)
def export_address(context, changelist) -> str:
    """Returns the address that exports the filtered list. If the list or this user has no export, returns ""."""
    name, user = list_of(changelist.model), context["request"].user
    if name is None or not may_export(user, changelist.model_admin):
        return ""
    return reverse("admin:orders_export_new", args=[name]) + changelist.get_query_string()


@register.simple_tag(takes_context=True)
def list_views(context, changelist) -> dict | None:
    return views_over(context["request"], changelist)


@register.simple_tag(takes_context=True)
def bulk_acts(context, changelist) -> dict:
    """Returns the user's bulk actions on the list, and the list's filter as hidden fields."""
    request = context["request"]
    pairs = ((name, value) for name, values in request.GET.lists() for value in values)
    return {
        "acts": acts_on(changelist.model, request.user),
        "kept": [(name, value) for name, value in pairs if name not in NOT_OF_THE_FILTER],
    }


@register.simple_tag
def worker_silence() -> str:
    """Returns a warning if no worker is alive, otherwise "". For pages with work that waits for a worker."""
    return worker_of(DeskSnapshot(timezone.now())).silence


@register.simple_tag(takes_context=True)
def empty_words(context, changelist) -> str:
    """Returns the text of an empty list. For a limited user the text does not claim that there are no rows, because
    other users may see some."""
    user, listed = context["request"].user, LISTS[changelist.model]
    if is_unlimited(user) or listed.same_for_all:
        return str(listed.empty) or _("Nothing here yet.")
    if isinstance(changelist.model_admin, UnlimitedOnly):
        return _("This belongs to no attribution; only those who see all attributions see it.")
    return str(why_blind(user)) or _("Nothing of your attributions is here.")


@register.simple_tag
def filters_in_force(changelist) -> list[tuple]:
    """Returns (title, chosen value, query string without the filter) of each filter that is set."""
    found = [(spec.title, list(spec.choices(changelist))) for spec in changelist.filter_specs if spec.used_parameters]
    return [
        (title, choice["display"], choices[0]["query_string"])
        for title, choices in found
        for choice in choices[1:]
        if choice["selected"]
    ]


@register.filter
def partner_paused(row) -> str:
    return str(PARTNER_NAMES[row.pause.partner])


@register.filter
def person(actor: str) -> str:
    return str(actor_of(actor)[0])


register.filter("paused_until", pause_words.until)
register.filter("steps_waiting", pause_words.waiting_text)
