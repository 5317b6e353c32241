"""Integrations with the partners BBOSS, BPM and big data, and delivery to them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self):
        """Registers functions of this app with the core, because the core must not import this app."""
        from integrations.base.other_desk import machines_with_another_profile
        from integrations.bboss.order_fields import read_trial, trial_members
        from integrations.bigdata import reconciliation
        from integrations.bigdata.billing_record_fields import without_deleted
        from integrations.bigdata.record_file import rows_of
        from integrations.bigdata.record_lookup import fetch_records, held_records
        from integrations.partners.calls import lines_of, read_kept, rules_hash
        from orders.books.books import client
        from orders.office.trials.columns import rules
        from orders.outbox import proven_calls

        # The core compares records in many places (pages, commands). No caller could pass the function to all of them.
        client.compare_now, client.fetch_records = reconciliation.compare_now, fetch_records
        client.held, client.present, client.read_file = held_records, without_deleted, rows_of
        # Trials entered by staff follow the rules of BBOSS's messages, which the core does not know.
        rules.members, rules.read = trial_members, read_trial
        # The profile's rules restrict claims. The core's claims, records and pages get the rules from these functions.
        proven_calls.rules.others = machines_with_another_profile
        proven_calls.rules.hash_of, proven_calls.rules.read, proven_calls.rules.lines = rules_hash, read_kept, lines_of
