# %% [markdown]
# Accounts with classes
# %%
import datetime as dt
from dataclasses import dataclass, field
from collections import defaultdict
# %%
@dataclass
class Account:
    owner: str
    balance: float = 0.0
    log: list = field(default_factory=list)

    def pay(self, amount, day=None):
        if amount > self.balance:
            raise ValueError("not enough")
        self.balance -= amount
        self.log.append((day, -amount))
        return self

    def put(self, amount, day=None):
        self.balance += amount
        self.log.append((day, amount))
        return self
# %%
a = Account("Ann")
b = Account("Bob", 50.0)
accounts = {"a": a, "b": b}
# %%
day = dt.date(2024, 1, 1)
a.put(100, day)
# %%
errors = []
def move(src, dst, amount):
    global day
    day += dt.timedelta(days=1)
    try:
        accounts[src].pay(amount, day)
    except ValueError as e:
        errors.append((src, amount, str(e)))
        return False
    accounts[dst].put(amount, day)
    return True
# %%
move("a", "b", 30)
# %%
move("b", "a", 500)
# %%
[move("a", "b", n) for n in (5, 10, 200)]
# %%
day
# %%
total = sum(acc.balance for acc in accounts.values())
total
# %%
per_day = defaultdict(float)
for name, acc in accounts.items():
    for d, amount in acc.log:
        per_day[d] += abs(amount)
dict(per_day)
# %%
class Savings(Account):
    rate = 0.02
    def year(self):
        self.put(self.balance * self.rate)

s = Savings("Sue", 1000.0)
accounts["s"] = s
# %%
Savings.rate = 0.03
# %%
for _ in range(3):
    s.year()
round(s.balance, 2)
# %%
table = sorted(((v.owner, round(v.balance, 2), len(v.log)) for v in accounts.values()), key=lambda r: -r[1])
table
# %%
report = f"{len(errors)} errors, last day {day:%d.%m.%Y}, sum {sum(r[1] for r in table)}"
report
