"""Plays `reconcile`, and puts wrong data into the big-data side's store."""

from django.core.management import CommandError, call_command


class Books:
    """The command and the sandbox's store side by side."""

    def __init__(self, desk, capsys):
        self.desk, self.capsys = desk, capsys
        self.store = desk.sandbox.partners.store

    def reconcile(self, *words: str) -> tuple[int, list[str]]:
        """Exit code and the lines printed."""
        try:
            call_command("reconcile", *words, by="test")
            code = 0
        except CommandError as error:
            code = error.returncode
        return code, self.capsys.readouterr().out.splitlines()

    def fix(self, *words: str) -> list[str]:
        """The lines of a run with --fix, whose steps are then delivered."""
        _, lines = self.reconcile(*words, "--fix")
        self.desk.deliver()
        return lines

    def held(self, job: str) -> dict:
        (record,) = self.store.records(job)
        return record

    def put(self, job: str, **changes) -> dict:
        """Changes what they hold for an order; gives what it was."""
        record = self.held(job)
        self.store.delete_record(record)
        self.store.put_record(record | changes)
        return record

    def lose(self, job: str) -> dict:
        """Removes what they hold; gives what it was."""
        record = self.held(job)
        self.store.delete_record(record)
        return record

    def live(self, domain: str = "a.example.com") -> list[str]:
        """The jobIds that they bill (or have on trial) for a domain."""
        rows = [row for row in self.store.records() if row["domain"] == domain and row["cancelStatus"] == "1"]
        return sorted(row["jobId"] for row in rows)
