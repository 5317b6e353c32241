"""`status [--json] [--probe]`: the state of the whole installation (contract section 5)."""

import contextlib
import json

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.utils import timezone

from integrations.base.database_deadline import CHECK_SECONDS, database_deadline
from integrations.probes import probe_all
from orders.history.actors import spoken
from orders.management.lost_entries import lines_of_lost_entries
from orders.pauses.backlog import say_backlog
from project.observability.readiness import why_unknown
from project.observability.status_report import desk_status
from project.trail.settings_trail import changed_since_start


class Command(BaseCommand):
    """Prints the problems first, then the state. If there are problems, exits with status 1."""

    help = (
        "One look: database, queue, worker, breakers, pauses, oldest due per partner, incidents, differences, notices, "
        "backup."
    )

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="as JSON, for programs")
        parser.add_argument(
            "--probe", action="store_true", help="ask database, partners, mail server, disk and clock now, and time it"
        )

    def handle(self, *args, **options):
        with database_deadline(CHECK_SECONDS):
            with contextlib.suppress(Error):  # desk_status reports the error too
                connection.ensure_connection()  # measures the database's time, before timezone.now() below
            found = desk_status(timezone.now())
            sentences = []
            try:
                sentences = lines(found)
            except Exception as error:  # the database has become unavailable in the meantime
                found["reasons"].append(why_unknown(error))
        if options["probe"]:
            probes = probe_all()
            found["probes"] = [
                {"what": probe.what, "seconds": probe.seconds, "trouble": probe.trouble} for probe in probes
            ]
            found["reasons"] += [f"probe of {probe.what}: {probe.trouble}" for probe in probes if probe.trouble]
            sentences += [
                f"probe        {probe.what} {probe.seconds:.3f} s {probe.trouble or 'ok'}" for probe in probes
            ]
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
        else:
            self.stdout.write("\n".join([*(f"wrong: {reason}" for reason in found["reasons"]), *sentences]))
        if found["reasons"]:
            raise CommandError(f"{len(found['reasons'])} wrong")


def lines(found: dict) -> list[str]:
    database, missing = found["database"], found["database"]["missing_migrations"]
    applied = f"lacks {', '.join(missing)}" if missing else "all migrations are applied"
    answers = f"answers, {applied}" if database["reachable"] else f"does not answer: {database['error']}"
    named = sorted({row["name"] for row in found["alarms"]})
    sentences = [
        *([f"alarms       {', '.join(named)}"] if named else []),
        f"database     {database['vendor']} {answers}",
    ]
    if found["queue"] is None:
        return sentences
    queue, age, incidents = found["queue"], found["worker"]["heartbeat_age_seconds"], found["incidents"]
    wait = queue["oldest_seconds"]
    due = [f"{name} {age:.0f} s" for name, age in found["oldest_due"].items() if age]
    tried = [f"{name} for {age:.0f} s" for name, age in found["oldest_retrying"].items() if age]
    differences = found["differences"]
    age_of_differences = f", the oldest for {differences['oldest_seconds']:.0f} s" if differences["open"] else ""
    unbilled = f", {differences['unbilled']} orders with service and no record" if differences["unbilled"] else ""
    other = changed_since_start()
    codes = [f"{code} ({number})" for code, number in incidents["by_code"].items()]
    return [
        *sentences,
        *(
            [f"restored     since {found['restored']['since']}: nothing is taken in or sent"]
            if found["restored"]
            else []
        ),
        *([f"entered      {line}" for line in lines_of_lost_entries()] if found["restored"] else []),
        f"queue        {queue['length']} waiting{f', the longest for {wait:.0f} s' if queue['length'] else ''}",
        f"worker       {'none is running' if age is None else f'gave a sign of life {max(age, 0):.0f} s ago'}",
        *(f"schedules    put back {row['at']}: {row['names']}" for row in found["schedules"]["put_back"]),
        f"breakers     {', '.join(open_breaker(row) for row in found['breakers']) or 'none is open'}",
        f"pauses       {', '.join(pause(row) for row in found['pauses']) or 'none'}",
        *(f"planned      {planned(row)}" for row in found["planned"]),
        f"due          {', '.join(due) or 'nothing waits'}",
        *([f"retried      {', '.join(tried)}"] if tried else []),
        f"incidents    {incidents['open']} open" + (f": {', '.join(codes)}" if codes else ""),
        *([f"comparison   {found['comparison']}: reconcile --file"] if found["comparison"] else []),
        f"differences  {differences['open']} open{age_of_differences}{unbilled}",
        f"stuck        {found['stuck']}",
        f"notices      {found['notices']['given_up']} given up within 7 days",
        f"last backup  {backup_line(found['last_backup'])}",
        f"way back     {' and '.join(found['way_back']) or 'can be gone'}{' first' if found['way_back'] else ''}",
        *([f"settings     here {', '.join(other)} are not as at this machine's last start"] if other else []),
        *(f"old secret   {old_secret(row)}" for row in found["old_secrets"]),
        *(f"robot        {robot(row)}" for row in found["robots"]),
    ]


def robot(row: dict) -> str:
    given_up = f", given up {row['given_up_at']}" if row["given_up_at"] else ""
    return f"{row['robot']} takes nothing ({row['error']}){given_up}"


def old_secret(row: dict) -> str:
    used = f"last used {row['last_used']}" if row["last_used"] else "never used"
    return f"{row['setting']}, number {row['number']}: {used}"


def backup_line(row: dict | None) -> str:
    return f"{row['made_at']} on {row['machine']}: {row['folder']}" if row else "none is known"


def open_breaker(row: dict) -> str:
    return f"{row['partner']} since {row['since']} ({row['error']}): {work_off(row)}"


def pause(row: dict) -> str:
    until = f" until {row['until']}" if row["until"] else ""
    by = f"by {spoken(row['by'])} ({row['reason']})"
    return f"{row['partner']} since {row['since']}{until} {by}: {work_off(row)}"


def planned(row: dict) -> str:
    again = ", weekly" if row["weekly"] else ""
    by = f"by {spoken(row['by'])} ({row['reason']})"
    return f"{row['number']}: {row['partner']} from {row['from']} until {row['until']}{again}, {by}"


def work_off(row: dict) -> str:
    return say_backlog(row["waiting"], row["calls_a_minute"], row["minutes_to_work_off"])
