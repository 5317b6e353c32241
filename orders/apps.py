"""The core: orders, their plans, and the steps that were sent for them."""

from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import pgettext_lazy

FEATURES = ("bulk", "digest", "exports", "schedules", "trials", "views")  # those of the office with tables


class OrdersConfig(AppConfig):
    """Orders and all that belongs to them. The one place that loads the models of the office's features."""

    name = "orders"
    verbose_name = pgettext_lazy("app", "Orders")

    def import_models(self):
        super().import_models()
        for feature in FEATURES:
            import_module(f"orders.office.{feature}.models")

    def ready(self):
        from notifications.mail_texts import ENDINGS
        from orders.office.bulk.service import end_asked, stop_runs
        from orders.office.digest.service import DIGEST, RED, nothing_more
        from orders.office.exports.service import end_asked as end_export
        from orders.order_words.history import WORDS
        from orders.pauses.restores import at_release
        from orders.people.asked_acts import ENDED
        from orders.restore.restored_guard import look_at_new_connection
        from orders.rules.four_eyes import BULK, EXPORT
        from orders.rules.message import add_words
        from orders.texts.error_messages import MESSAGES
        from orders.texts.meanings import MEANINGS

        ENDINGS.update(dict.fromkeys((DIGEST, RED), nothing_more))
        connection_created.connect(look_at_new_connection)
        at_release.append(stop_runs)
        ENDED.update({BULK: end_asked, EXPORT: end_export})
        for feature in FEATURES:
            if feature != "digest":  # it has no words
                words = import_module(f"orders.office.{feature}.words")
                add_words(MESSAGES, words.MESSAGES)
                add_words(MEANINGS, getattr(words, "MEANINGS", {}))
                add_words(WORDS, getattr(words, "EVENTS", {}))
