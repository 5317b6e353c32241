"""The table of the worker's periodic tasks, in the order of their execution.

The tasks `sweep`, `look_at_files` and `tidy` (integrations/tasks.py) and `look_around`
(project/observability/looks.py) run the rows. `RECURRING` in integrations/worker/recurring_schedules.py has the
schedule of each task, and the nightly tasks. The tasks find this table by the setting PERIODIC.
"""

from django.conf import settings

from integrations.base.other_desk import watch_other_desks
from integrations.bboss.clocks import watch_clocks
from integrations.bpm.kept_callbacks import apply_kept
from integrations.robots.send_alerts import forget_alerts
from integrations.tasks import (
    DESK_CHECKS,
    FIVE_MINUTES,
    HOUR,
    MINUTE,
    Part,
    deliver,
    forget_failures,
    index_after_sweep,
    may_office_run,
    tell_robots,
)
from integrations.worker.heartbeat import forget_dead
from integrations.worker.implausible_times import correct_times
from orders.attachments.files_hold import recheck_files, watch_unchecked
from orders.attachments.upload import remove_parts
from orders.erasing.erase_due import erase_due
from orders.incidents.desk_incidents import watch_failed_tasks, watch_free_space, watch_refused_calls
from orders.incidents.sleeping import wake_slept
from orders.intake.replan_held_orders import settle_arrived
from orders.mails.inbox import remove_old_messages, tell_owners, tell_watchers
from orders.mails.mail_creation import tell_missed
from orders.mails.notices import remove_old_notices
from orders.office.asked_ends import lapse_asked
from orders.office.bulk.bulk_runs import remove_old_items, resume_runs
from orders.office.digest.service import remove_old_digests, write_digests, write_red
from orders.office.exports.export_jobs import remove_old_files, resume_exports
from orders.office.exports.schedules import begin_due_exports
from orders.office.trials.uploads import forget_uploads
from orders.outbox.release_steps import release
from orders.pauses.pause_and_resume import end_pauses, remind_of_pauses
from orders.pauses.planned import begin_planned_pauses
from orders.people.ownership import let_go_owners
from orders.reconciliation.number_list import close_known
from orders.sending.end_moves import end_moves
from orders.start_day.start_day import activate
from orders.trials.expired_trials import end_trials
from orders.undoing.start import close_abandoned
from project.accounts.session_revocation import forget_sessions
from project.observability.alarm_mails import watch_alarms, watch_at_once
from project.observability.last_hour import note_figures
from project.observability.looks import look_around
from project.observability.silent_failures import keep_failure_incidents
from project.observability.site_probe import watch_site
from project.trail_syslog import send_trail, watch_trail

PARTS: tuple[Part, ...] = (
    # work that a lost wake-up, schedule or worker left undone
    Part(MINUTE, correct_times),
    Part(MINUTE, begin_planned_pauses),
    Part(MINUTE, end_pauses),
    Part(MINUTE, settle_arrived),
    Part(MINUTE, apply_kept),
    Part(MINUTE, close_known),
    Part(MINUTE, end_moves),
    Part(MINUTE, activate),
    Part(MINUTE, end_trials),
    Part(MINUTE, lapse_asked),
    Part(MINUTE, close_abandoned),
    Part(MINUTE, release),
    Part(MINUTE, tell_missed),
    Part(MINUTE, remind_of_pauses),
    Part(MINUTE, wake_slept),
    Part(MINUTE, watch_free_space),
    Part(MINUTE, watch_refused_calls),
    Part(MINUTE, watch_failed_tasks),
    Part(MINUTE, watch_unchecked),
    Part(MINUTE, watch_clocks),
    Part(MINUTE, watch_other_desks),
    Part(MINUTE, watch_trail),
    Part(MINUTE, tell_robots, apart=True, when=lambda began: settings.ALERT_WEBHOOKS),
    Part(MINUTE, send_trail, apart=True, when=lambda began: settings.AUDIT_SYSLOG),
    Part(MINUTE, look_around, apart=True),
    # delivery of due steps, after the parts above have made steps due
    Part(MINUTE, deliver),
    # work for staff, after delivery, so that no partner waits for it
    Part(MINUTE, begin_due_exports, when=may_office_run),
    Part(MINUTE, resume_exports, when=may_office_run),
    Part(MINUTE, resume_runs, when=may_office_run),
    Part(MINUTE, write_digests, when=may_office_run),
    Part(MINUTE, write_red, when=may_office_run),
    Part(MINUTE, tell_owners, when=may_office_run),
    Part(MINUTE, tell_watchers, when=may_office_run),
    Part(MINUTE, let_go_owners, when=may_office_run),
    Part(MINUTE, index_after_sweep, when=may_office_run),
    # checks of the desk itself
    Part(DESK_CHECKS, note_figures),
    Part(DESK_CHECKS, keep_failure_incidents),
    Part(DESK_CHECKS, watch_site),
    Part(DESK_CHECKS, watch_at_once),
    Part(FIVE_MINUTES, watch_alarms, only_logged=True),
    Part(FIVE_MINUTES, forget_sessions, only_logged=True),
    Part(FIVE_MINUTES, recheck_files),
    # removal of old rows and files
    Part(HOUR, forget_dead, what="dead clusters"),
    Part(HOUR, forget_failures, what="old failures"),
    Part(HOUR, forget_uploads, what="workbooks"),
    Part(HOUR, remove_parts, what="parts of uploads"),
    Part(HOUR, remove_old_files, what="old exports"),
    Part(HOUR, remove_old_items, what="rows of bulk runs"),
    Part(HOUR, remove_old_notices, what="notices"),
    Part(HOUR, remove_old_messages, what="messages"),
    Part(HOUR, remove_old_digests, what="digests"),
    Part(HOUR, forget_alerts, what="alerts"),
    Part(HOUR, erase_due, what="orders' personal data"),
)
