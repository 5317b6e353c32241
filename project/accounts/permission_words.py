"""Readable names of permissions. Django and the migrations store them in English, as untranslated data."""

from django.contrib.auth.models import Permission
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

VERBS = {
    "view": gettext_lazy("see"),
    "add": gettext_lazy("add"),
    "change": gettext_lazy("change"),
    "delete": gettext_lazy("delete"),
}
ACTS = {
    "see_personal_data": gettext_lazy("see phones, mails and names of people"),
    "resend_order": gettext_lazy("resend failed steps"),
    "compensate_order": gettext_lazy("compensate an order"),
    "withdraw_order": gettext_lazy("withdraw an order"),
    "upload_file": gettext_lazy("upload an info-security file"),
    "waive_finding": gettext_lazy("waive an info-security finding"),
    "choose_attribution": gettext_lazy("choose an attribution"),
    "run_activation": gettext_lazy("run a start day by hand"),
    "move_start": gettext_lazy("move a start day"),
    "move_end": gettext_lazy("move a trial's end"),
    "erase_personal_data": gettext_lazy("erase the personal data of a line that is over"),
    "fetch_usage": gettext_lazy("ask for trial traffic"),
    "add_note": gettext_lazy("add a note"),
    "give_up_step": gettext_lazy("give up a failed billing step"),
    "take_books": gettext_lazy("take the big-data side's books as ours"),
    "accept_difference": gettext_lazy("accept a difference or incident"),
    "compare_order": gettext_lazy("compare an order with the big-data side"),
    "fix_difference": gettext_lazy("put a difference right"),
    "decide_order": gettext_lazy("decide in BPM's place"),
    "proceed_order": gettext_lazy("let an order of a closed trial go on"),
    "pause_partner": gettext_lazy("pause and resume a partner"),
    "probe_partners": gettext_lazy("make test calls"),
    "release_restored": gettext_lazy("say that a restored desk may send again"),
    "judge_export": gettext_lazy("agree to a colleague's export of personal data"),
    "confirm_act": gettext_lazy("confirm a colleague's act as the second person"),
    "share_view": gettext_lazy("share views of lists with a role"),
    "export_list": gettext_lazy("export lists"),
    "stop_scheduledexport": gettext_lazy("switch off colleagues' scheduled exports"),
    "revoke_apitoken": gettext_lazy("revoke tokens of other systems"),
    "stop_bulkrun": gettext_lazy("stop colleagues' bulk runs"),
    "push_approval": gettext_lazy("push an approval"),
    "enter_trial": gettext_lazy("enter trials by hand"),
    "name_domains": gettext_lazy("name the domains of a held order"),
    "view_notice": gettext_lazy("see mails to staff"),
    "own_order": gettext_lazy("take and hand over what needs somebody"),
}


def permission_words(permission: Permission) -> str:
    """Returns a text such as `Orders · order: see`. A permission without an entry here keeps Django's name."""
    content, codename = permission.content_type, permission.codename
    model = content.model_class()
    verb = codename.partition("_")[0]
    if codename in ACTS:
        what = ACTS[codename]
    else:
        what = VERBS[verb] if verb in VERBS and codename == f"{verb}_{content.model}" else permission.name
    name = model._meta.verbose_name if model else content.model
    app = _(str(model._meta.app_config.verbose_name)) if model else content.app_label
    return _("%(app)s · %(model)s: %(what)s") % {"app": app, "model": name, "what": what}
