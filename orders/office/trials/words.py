"""Sentences of trials that people enter; integrations/bboss/content.py has BBOSS's own."""

from django.utils.translation import gettext_lazy as _

from orders.message import Message

MESSAGES = {
    "member_required": Message(words=_("is missing")),
    "member_blank": Message(words=_("is missing")),
    "member_length": Message(words=_("is longer than %(most)s characters")),
    "member_form": Message(words=_("must be 1 to 64 of A-Z, a-z, 0-9, _ and -")),
    "member_day": Message(words=_("is not a day; write it like 20260930")),
    "member_early": Message(words=_("lies before 1970")),
    "member_before_start": Message(words=_("is before the start day")),
    "member_name": Message(words=_("the domain %(domain)s %(wrong)s")),
    "member_twice": Message(words=_("%(name)s is there twice")),
    "member_control": Message(words=_("holds a character that can't be seen (%(character)s)")),
    "cell_formula": Message(words=_("is a formula; paste its value")),
    "cell_error": Message(words=_("holds an error of Excel")),
    "cell_rounded": Message(words=_("is a number of more than 15 digits, which Excel rounds; make the cell text")),
    "cell_day_number": Message(words=_("is a day as Excel counts days; write it like %(day)s")),
    "cell_made_a_day": Message(words=_("is a day, which Excel makes of texts like 1-5; make the cell text")),
    "cell_boolean": Message(words=_("is a yes or no of Excel; make the cell text")),
    "cell_same_number": Message(words=_("row %(row)s has the same number")),
    "cell_number_taken": Message(words=_("is the number of an order with other content")),
    "cell_service_type": Message(words=_("is no service type; one of %(known)s")),
    "cell_attribution": Message(words=_("is no attribution; one of %(known)s")),
    "cell_domains": Message(words=_("holds %(count)s domains, at most %(most)s are taken")),
    "cell_choice": Message(words=_("is none of the choices %(known)s")),
    "typed_id": Message(words=_("may only have A-Z, a-z, 0-9, _ and -")),
    "typed_volume": Message(words=_("is no number; write the volume in GB, like 500")),
    "typed_phone": Message(words=_("is no phone number; write it like 13800000000 or 010-12345678")),
    "typed_mail": Message(words=_("is no mail address; write it like zhangsan@example.com")),
    "cell_scope": Message(words=_("its attribution is not one of yours")),
    "column_unknown": Message(words=_("is no column of a trial")),
    "column_twice": Message(words=_("is there twice")),
    "column_missing": Message(words=_("the header lacks this column")),
    "column_merged": Message(words=_("merged cells; take them apart and fill in each")),
    "warn_name": Message(
        words=_("the customer with this enterprise id is called %(known)s; entering does not rename it")
    ),
    "warn_billed": Message(words=_("order %(order)s bills %(count)s of the domains already: %(domains)s")),
    "warn_on_trial": Message(words=_("order %(order)s has %(count)s of the domains on trial already: %(domains)s")),
    "book_own_check": Message(
        words=_("Another workbook of yours is being checked. Upload this one again in a few seconds.")
    ),
    "book_checks": Message(
        words=_("Workbooks of colleagues are being checked. Upload this one again in a few seconds.")
    ),
    "book_too_many": Message(
        words=_("You have uploaded %(most)s workbooks within a day. Put the last one right in the page, or wait.")
    ),
    "book_size": Message(words=_("The file is larger than %(most)s MB.")),
    "book_not_xlsx": Message(words=_("This is no xlsx file, or a damaged one. Save it as .xlsx and upload it again.")),
    "book_macros": Message(words=_("The file carries macros. Save it as .xlsx, which has none.")),
    "book_too_large": Message(
        words=_(
            "The file is too large when it is unpacked, or has too many merged cells. Copy the rows into the template."
        )
    ),
    "book_styles": Message(
        words=_("The file has more than %(styles)s formats of cells. Copy the rows into the template.")
    ),
    "book_encrypted": Message(
        words=_("The file is protected by a password, or an old .xls. Save it as .xlsx without a password.")
    ),
    "book_empty": Message(words=_("The first sheet has no row below the header.")),
    "book_rows": Message(
        words=_("More than %(rows)s trials, or the sheet is longer than %(lines)s rows. Split the file.")
    ),
    "book_columns": Message(
        words=_("The first sheet has more than %(columns)s columns. Copy the rows into the template.")
    ),
    "book_domains": Message(words=_("The file has more than %(most)s domains. Split it.")),
    "entry_restored": Message(words=_("The database was restored, so nothing is accepted until it is released.")),
    "entry_not_noted": Message(
        words=_("Nothing was entered: the numbers can't be written into ATTACHMENT_DIR (%(why)s). Ask an engineer.")
    ),
    "import_done": Message(words=_("The file has been imported already.")),
}
