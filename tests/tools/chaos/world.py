"""Creates the messages of BBOSS and BPM: all kinds of orders, some of them out of order, withdrawals and callbacks."""

import datetime
import random
from dataclasses import dataclass, field

from tests.bpm_messages import approval
from tests.flows import contents

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
PRODUCT = 61000616304


@dataclass
class World:
    """Creates the next message. The messages depend only on the seed, and not on the responses."""

    random: random.Random
    today: datetime.date
    trials: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    subsequent: list[str] = field(default_factory=list)
    late_trials: list[dict] = field(default_factory=list)
    made: int = 0

    def next(self) -> dict:
        """Returns the content of the next order or withdrawal."""
        self.made += 1
        kinds = [self.trial, self.change, self.first, self.first_later, self.after_first, self.withdrawal, self.orphan]
        weights = [6, 2, 4, 2, 3, 1, 1]
        content = self.random.choices(kinds, weights)[0]() if self.trials else self.trial()
        return content

    def trial(self) -> dict:
        if self.late_trials and self.random.random() < 0.5:
            return self._remember(self.late_trials.pop(0), self.trials)
        return self._remember(self._trial(f"T{self.made:04}"), self.trials)

    def _trial(self, number: str) -> dict:
        return contents.trial(
            number,
            BusinessType=self.random.choice("1234"),
            BizStart=f"{self.today:%Y%m%d}",
            ProvContent=self._domains(number, self.random.randint(1, 3)),
        )

    def change(self) -> dict:
        number = f"C{self.made:04}"
        content = {"OrderType": "2", "OrderNum": number, "BizRequest": self.random.choice(self.trials)}
        if self.random.random() < 0.3:
            content["BusinessType"] = self.random.choice("1234")
        else:
            content["ProvContent"] = self._domains(number, 2)
        return self._remember(content, self.orders)

    def first(self, later: bool = False, trial: str = "") -> dict:
        day = self.today + datetime.timedelta(days=1 if later else 0)
        content = contents.activation(
            f"A{self.made:04}",
            of=trial or self.random.choice(self.trials),
            start=f"{day:%Y%m%d}",
            ProductID=str(PRODUCT + self.made),
            BusinessType=self.random.choice("1234"),
        )
        return self._remember(content, self.orders)

    def first_later(self) -> dict:
        return self.first(later=True)

    def after_first(self) -> dict:
        content = self.first()
        self.subsequent.append(content["OrderNum"])
        return content | {"ProvContent": self._domains(content["OrderNum"], self.random.randint(1, 2))}

    def withdrawal(self) -> dict:
        return {"OrderNum": self.random.choice(self.orders + self.trials), "BackFlag": "1"}

    def orphan(self) -> dict:
        """Returns an activation whose trial is sent later."""
        trial = self._trial(f"L{self.made:04}")
        self.late_trials.append(trial)
        return self.first(trial=trial["OrderNum"])

    def callback(self) -> dict | None:
        """Returns a decision about one of the subsequent activations, or None."""
        if not self.subsequent:
            return None
        number = self.subsequent.pop(0)
        result = self.random.choices(["pass", "reject"], [4, 1])[0]
        time = f"{self.today:%Y-%m-%d} 12:00:00"
        return approval(number, recordId=f"r-{number}", result=result, time=time, finished=True)

    def _domains(self, number: str, count: int) -> list[dict]:
        return [{"ProvReq": f"d{index}-{number.lower()}.example.com"} for index in range(count)]

    def _remember(self, content: dict, where: list[str]) -> dict:
        where.append(content["OrderNum"])
        return content
