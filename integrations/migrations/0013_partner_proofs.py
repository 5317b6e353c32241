"""What done steps show is proven: their answers were read by the default rules, at the addresses of now."""

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from integrations.partners.calls import rules_hash
from integrations.partners.profile import Profile
from orders.outbox.proven_calls import BY_STEP, CALLS


def prove_what_is_done(apps, schema_editor) -> None:
    """May run again. Rules of a profile that differ from the defaults are not proven by it."""
    alias, profile = schema_editor.connection.alias, settings.PARTNERS
    attempts, proofs = apps.get_model("orders", "Attempt"), apps.get_model("orders", "PartnerProof")
    for kind, call in CALLS.items():
        if (before := _hash(call, Profile())) != _hash(call, profile):
            continue
        steps = [step for step, name in BY_STEP.items() if name == kind]
        about = {"dispatch__step__in": steps, "dispatch__undo": False, "dispatch__repeat": False, "outcome": "ok"}
        done = attempts.objects.using(alias).filter(**about).select_related("dispatch__order")
        if kind == "cancel":
            done = done.filter(dispatch__order__kind="activation").exclude(dispatch__gate="start")
        if last := done.order_by("-pk").first():
            proof = {"call": call, "proven_at": last.finished_at or timezone.now()}
            defaults = proof | {"order": last.dispatch.order.number}
            proofs.objects.using(alias).get_or_create(kind=kind, rules=before, defaults=defaults)


def _hash(call: str, profile: Profile) -> str:
    was, settings.PARTNERS = settings.PARTNERS, profile
    try:
        return rules_hash(call)
    finally:
        settings.PARTNERS = was


class Migration(migrations.Migration):
    atomic = False  # it looks through attempts, and locks nothing meanwhile
    dependencies = [("integrations", "0012_bpm_callbacks"), ("orders", "0064_partner_proofs")]
    operations = [migrations.RunPython(prove_what_is_done, migrations.RunPython.noop)]
