"""Trials that people enter in words: sentences and events; integrations/bboss/content.py has BBOSS's sentences."""

from django.utils.translation import gettext_lazy as _

from orders.rules.message import in_words

MESSAGES = in_words(
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
EVENTS = {
    "numbers_tried": _("Typed numbers of orders outside their attributions when entering trials: %(numbers)s"),
    "trials_imported": _("Trials entered from a workbook: %(count)s (%(file)s)"),
}
