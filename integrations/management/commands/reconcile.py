"""`reconcile [ORDER...] [--since DATE] [--fix]`: holds our billing records against theirs (contract 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from integrations.bigdata.comparison import SETTLE, Found
from integrations.reconciliation import Comparison, Scope
from orders.management.actor import actor, add_by
from orders.management.days import day
from orders.models import Difference, Order


class Command(BaseCommand):
    """Prints each difference and exits 1 if there is any, or if the big-data side did not answer for an order."""

    help = "Compares our billing records with those of the big-data side, for the named orders or all."

    def add_arguments(self, parser):
        parser.add_argument("order", nargs="*", help="order numbers; none: all")
        parser.add_argument("--since", type=day, help="only orders received on this day or later, YYYY-MM-DD")
        parser.add_argument("--fix", action="store_true", help="sends what is missing, deletes what must not be there")
        add_by(parser)

    def handle(self, *args, order, since, fix, by, **options):
        check_known(order)
        self.fix = fix
        scope = Scope(numbers=tuple(order), since=since)
        run = Comparison(scope, by=actor(by), fix=fix, on_difference=self.show)
        row = run.run()
        self.stdout.write(
            f"{row.orders} orders, {row.records} records: {row.differences} differences, {row.fixed} put right, "
            f"{run.skipped} orders left out with steps under way"
        )
        if row.error:
            raise CommandError(row.error)
        if row.differences:
            raise CommandError(f"{row.differences} differences")

    def show(self, difference: Difference, found: Found) -> None:
        """One line for one difference."""
        with override("en"):
            what = difference.get_kind_display()
        told = (
            f"{difference.job_id} {found.product_id} {found.domain}: {what}: ours {found.ours}, theirs {found.theirs}"
        )
        fields = "".join(f"; {name}: ours {ours}, theirs {theirs}" for name, (ours, theirs) in found.fields.items())
        self.stdout.write(told + fields + self.done(difference, found))

    def done(self, difference: Difference, found: Found) -> str:
        """What was done about it."""
        if difference.fix_id:
            return f" -> queued: {difference.fix.step}"
        return f" -> settled: {found.theirs}" if found.remedy == SETTLE and self.fix else ""


def check_known(numbers: list[str]) -> None:
    """One clear line for a number that can't be compared, before anything is asked."""
    kinds = dict(Order.objects.filter(number__in=numbers).values_list("number", "kind"))
    unknown = [number for number in numbers if number not in kinds]
    if unknown:
        raise CommandError(f"unknown: {', '.join(unknown)}")
    changes = [number for number in numbers if kinds[number] == Order.Kind.CHANGE]
    if changes:
        raise CommandError(f"a trial change has no records of its own, name its trial: {', '.join(changes)}")
