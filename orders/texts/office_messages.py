"""The sentences of the office's features: bulk runs, exports, schedules, trials that people enter, views of lists.

`orders/texts/error_messages.py` says what a sentence is for, and has the others. BBOSS's sentences about a trial are in
integrations/bboss/order_fields.py.
"""

from django.utils.translation import gettext_lazy as _

from orders.texts.message import Message, in_words

FILE_NOT_WRITTEN = "the file can't be written: %(why)s"

BULK = in_words(
    {
        "bulk_restored": _("The database was restored, so nothing is done in bulk until it is released."),
        "bulk_not_allowed": _("Who began it may not do this any more, or has no account any more."),
        "bulk_stopped": _("Stopped by hand."),
        "bulk_given_up": _("The worker stopped %(times)s times at the same row. The technicians find it in its log."),
        "bulk_draft_gone": _(
            "Nothing was done: another selection of yours, or an hour, has passed since. Look again, then confirm."
        ),
        "bulk_not_noted": _("It broke off before all rows were noted, and nothing was done. Begin it anew."),
        "bulk_too_many": _(
            "Nothing was done: %(most)s bulk runs of the same person are not over. Wait for one, or stop it."
        ),
        "bulk_over": _("Nothing was done: the run is over or stopped already."),
        "bulk_not_stopped": _("Nothing was done: the run does not stand still, or its rows are not kept any more."),
        "bulk_asked": _("Nothing was done yet: a second person has to confirm it."),
        "bulk_not_confirmed": _("Nothing was done: no second person confirmed it."),
        "bulk_not_there": _("It is not there any more, or not among your attributions."),
        "bulk_not_sent": _("It can't be sent now."),
        "bulk_broken": _("A fault of ours; the technicians find it in the worker's log."),
    }
)
EXPORTS = {
    "export_list_unknown": Message("no list %(name)s; there are %(names)s"),
    "export_format": Message("%(name)s: the name must end in one of %(names)s"),
    "export_not_allowed": Message(
        "the list may not be exported by this account", _("You may not export this list, or not any more.")
    ),
    "export_not_personal": Message(
        "personal data are not for this account", _("You may not export people's data, or not any more.")
    ),
    "export_column_unknown": Message(
        "no column %(name)s of this list; there are %(names)s", _("The list has no column %(name)s.")
    ),
    "export_file": Message(FILE_NOT_WRITTEN, _("The file can't be written; the log says why.")),
    "export_disk_full": Message(
        FILE_NOT_WRITTEN, _("The disk for exports is full. Narrow the filter, or tell the technicians.")
    ),
    "export_no_access": Message(
        FILE_NOT_WRITTEN, _("The desk has no right to write to the folder of exports. Tell the technicians.")
    ),
    "export_read_only": Message(FILE_NOT_WRITTEN, _("The disk for exports is read-only. Tell the technicians.")),
    "export_given_up": Message(
        "the worker stopped %(times)s times while it wrote the file",
        _("The worker stopped %(times)s times while it wrote the file. Narrow the filter, and export again."),
    ),
    "export_too_many": Message(
        "%(most)s exports of this account are not over",
        _("Nothing was exported: you have %(most)s exports that are not over. Wait for one, or stop it."),
    ),
    "export_kept_too_large": Message(
        "the kept files of this account are %(size)s GB large; at most %(most)s GB",
        _("Nothing was exported: your files are %(size)s GB large already; each goes after a week."),
    ),
    "export_refused": Message("a second person refused: %(why)s", _("The second person refused: %(why)s")),
    "export_stopped": Message("its maker stopped it", _("It was stopped by whoever exported it.")),
    "export_over": Message("the export is over already", _("Nothing was done: the export is over already.")),
    "export_not_confirmed": Message("no second person agreed in time", _("No second person agreed to it in time.")),
    "export_judged": Message("somebody has judged this export already", _("Somebody has judged it already.")),
    "export_not_judged": Message(
        "a second person must agree", _("People's data need a second person here by now. Export again.")
    ),
    "export_broken": Message(
        "a fault of ours, see the worker's log", _("A fault of ours; the technicians find it in the worker's log.")
    ),
}
SCHEDULES = {
    "schedule_gone": Message("the schedule is gone, or somebody else's", _("It is not there any more.")),
    "schedule_name_taken": Message(words=_("You have a scheduled export of this name already.")),
    "schedule_view_gone": Message("the saved view is gone", _("The saved view is gone.")),
    "schedule_not_personal": Message(words=_("People's data need a second person here, so no schedule can hold them.")),
    "schedule_too_many": Message(words=_("You have %(most)s scheduled exports. Delete one that you don't need.")),
    "schedule_recipient_gone": Message(words=_("One of the recipients has no account any more. Choose them anew.")),
    "schedule_busy": Message(words=_("Nothing was done: an export of it is under way.")),
}
TRIALS = in_words(
    {
        "member_required": _("is missing"),
        "member_blank": _("is missing"),
        "member_length": _("is longer than %(most)s characters"),
        "member_form": _("must be 1 to 64 of A-Z, a-z, 0-9, _ and -"),
        "member_day": _("is not a day; write it like 20260930"),
        "member_early": _("lies before 1970"),
        "member_before_start": _("is before the start day"),
        "member_name": _("the domain %(domain)s %(wrong)s"),
        "member_twice": _("%(name)s is there twice"),
        "member_control": _("holds a character that can't be seen (%(character)s)"),
        "cell_formula": _("is a formula; paste its value"),
        "cell_error": _("holds an error of Excel"),
        "cell_rounded": _("is a number of more than 15 digits, which Excel rounds; make the cell text"),
        "cell_day_number": _("is a day as Excel counts days; write it like %(day)s"),
        "cell_made_a_day": _("is a day, which Excel makes of texts like 1-5; make the cell text"),
        "cell_boolean": _("is a yes or no of Excel; make the cell text"),
        "cell_same_number": _("row %(row)s has the same number"),
        "cell_number_taken": _("is the number of an order with other content"),
        "cell_number_closed": _("can't be used; take another number"),
        "cell_service_type": _("is no service type; one of %(known)s"),
        "cell_attribution": _("is no attribution; one of %(known)s"),
        "cell_domains": _("holds %(count)s domains, at most %(most)s are taken"),
        "cell_choice": _("is none of the choices %(known)s"),
        "typed_id": _("may only have A-Z, a-z, 0-9, _ and -"),
        "typed_volume": _("is no number; write the volume in GB, like 500"),
        "typed_phone": _("is no phone number; write it like 13800000000 or 010-12345678"),
        "typed_mail": _("is no mail address; write it like zhangsan@example.com"),
        "cell_scope": _("its attribution is not one of yours"),
        "column_unknown": _("is no column of a trial"),
        "column_twice": _("is there twice"),
        "column_missing": _("the header lacks this column"),
        "column_merged": _("merged cells; take them apart and fill in each"),
        "warn_name": _("the customer with this enterprise id is called %(known)s; entering does not rename it"),
        "warn_billed": _("order %(order)s bills %(count)s of the domains already: %(domains)s"),
        "warn_on_trial": _("order %(order)s has %(count)s of the domains on trial already: %(domains)s"),
        "book_own_check": _("Another workbook of yours is being checked. Upload this one again in a few seconds."),
        "book_checks": _("Workbooks of colleagues are being checked. Upload this one again in a few seconds."),
        "book_too_many": _(
            "You have uploaded %(most)s workbooks within a day."
            " Put the last one that could be read right in the page, or wait."
        ),
        "book_size": _("The file is larger than %(most)s MB."),
        "book_not_xlsx": _("This is no xlsx file, or a damaged one. Save it as .xlsx and upload it again."),
        "book_unchecked": _("The file can't be read at the moment. Upload it again in a minute."),
        "book_macros": _("The file carries macros. Save it as .xlsx, which has none."),
        "book_too_large": _(
            "The file is too large when it is unpacked, or has too many merged cells. Copy the rows into the template."
        ),
        "book_styles": _("The file has more than %(styles)s formats of cells. Copy the rows into the template."),
        "book_encrypted": _(
            "The file is protected by a password, or an old .xls. Save it as .xlsx without a password."
        ),
        "book_empty": _("The first sheet has no row below the header."),
        "book_rows": _("More than %(rows)s trials, or the sheet is longer than %(lines)s rows. Split the file."),
        "book_columns": _("The first sheet has more than %(columns)s columns. Copy the rows into the template."),
        "book_domains": _("The file has more than %(most)s domains. Split it."),
        "entry_restored": _("The database was restored, so nothing is accepted until it is released."),
        "entry_numbers": _(
            "You have typed %(most)s numbers of orders outside your attributions within an hour, or more. Enter trials"
            " again in an hour, or have a colleague do it who sees all."
        ),
        "entry_not_noted": _(
            "Nothing was entered: the numbers can't be written into ATTACHMENT_DIR (%(why)s). Ask an engineer."
        ),
        "import_done": _("The file has been imported already."),
    }
)
VIEWS = in_words(
    {
        "view_name_blank": _("Give the view a name."),
        "view_name_long": _("The name is longer than %(most)s characters."),
        "view_exists": _("You have a view “%(name)s” of this list already."),
        "view_too_many": _("You have %(most)s views of this list. Delete one that you don't need."),
        "view_too_large": _("The filter is too long to be kept."),
        "view_not_your_role": _("You can share a view only with a role that you have."),
        "view_gone": _("Nothing was done: the view was deleted meanwhile."),
    }
)

MESSAGES = BULK | EXPORTS | SCHEDULES | TRIALS | VIEWS
