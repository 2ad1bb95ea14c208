# %%
import pandas as pd
import cleaning
from cleaning import tidy, share, Clock
# %%
raw = pd.DataFrame({" First Name": ["a", "b", "c"], "Hours Worked ": [3, None, 8], "Dept": ["x", "y", "x"]})
raw
# %%
t = tidy(raw)
t.columns.tolist()
# %%
cleaning.SEEN
# %%
t["hours_worked"].fillna(0, inplace=True)
t = t.fillna({"hours_worked": t.hours_worked.mean()})
t
# %%
clock = Clock()
for h in t.hours_worked:
    clock.add(h * 60)
clock.minutes
# %%
half = tidy(t[t.dept == "x"])
# %%
cleaning.SEEN[-1], len(cleaning.SEEN)
# %%
pct = {d: share(g.hours_worked.sum(), t.hours_worked.sum()) for d, g in t.groupby("dept")}
pct
# %%
cleaning.RATE = 20
# %%
def pay(hours):
    return hours * cleaning.RATE
t["pay"] = t.hours_worked.apply(pay)
t
# %%
clock.add(15).add(5)
# %%
best = t.nlargest(1, "pay").iloc[0]
best["first_name"]
# %%
result = [best.first_name, clock.minutes, pct["x"], cleaning.SEEN]
result
