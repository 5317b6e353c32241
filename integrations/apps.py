"""The partners: BBOSS, BPM, big data, and the delivery between us and them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self):
        """Registers with the core the functions that it needs from the partners' side."""
        from integrations.base.other_desk import machines_with_another_profile
        from integrations.bboss.content_fields import read_trial, trial_members
        from integrations.bigdata import reconciliation
        from integrations.bigdata.billing_record_fields import without_deleted
        from integrations.bigdata.record_file import rows_of
        from integrations.bigdata.record_lookup import fetch_records, held_records
        from integrations.partners.calls import lines_of, read_kept, rules_hash
        from orders.books.books import client
        from orders.office.trials.columns import rules
        from orders.outbox import proof

        # Comparing is asked for deep in the core, on pages and in commands: no caller from here is there to pass it on.
        client.compare_now, client.fetch_records = reconciliation.compare_now, fetch_records
        client.held, client.present, client.read_file = held_records, without_deleted, rows_of
        # A trial that people enter follows the rules of BBOSS's messages, whose words the core does not know.
        rules.members, rules.read = trial_members, read_trial
        # The core decides what a claim may take by the profile's rules, which lie here; claims, records and pages ask.
        proof.rules.others = machines_with_another_profile
        proof.rules.hash_of, proof.rules.read, proof.rules.lines = rules_hash, read_kept, lines_of
