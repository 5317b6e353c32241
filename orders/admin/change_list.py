"""Lists that look up more about their rows than the rows hold, for a page and for an export alike."""

from django.contrib.admin.views.main import ChangeList


class FactsChangeList(ChangeList):
    """A list whose rows get facts from other tables: a few queries for all rows of a page."""

    def add_facts(self, rows: list) -> None:
        """Sets attributes of the rows, which columns read."""
        raise NotImplementedError

    def get_results(self, request):
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.add_facts(self.result_list)
