# %%
import re
from datetime import datetime, timedelta
import pandas as pd
# %%
lines = []
start = datetime(2024, 3, 1, 8)
for i in range(60):
    t = start + timedelta(minutes=7 * i)
    level = ["INFO", "INFO", "WARN", "ERROR"][i % 4 if i % 3 else 0]
    lines.append(f"{t:%Y-%m-%d %H:%M:%S} [{level}] user={i % 5} took {i * 13 % 97}ms")
lines[:2]
# %%
lines.insert(10, "garbage line")
lines.append("2024-13-45 00:00:00 [INFO] user=1 took 5ms")
# %%
rx = re.compile(r"^(?P<ts>\S+ \S+) \[(?P<level>\w+)\] user=(?P<user>\d+) took (?P<ms>\d+)ms$")
m = rx.match(lines[0])
m.groupdict()
# %%
records, bad = [], []
for line in lines:
    m = rx.match(line)
    if not m:
        bad.append(line)
        continue
    d = m.groupdict()
    try:
        d["ts"] = datetime.strptime(d["ts"], "%Y-%m-%d %H:%M:%S")
    except ValueError as e:
        bad.append(line)
        continue
    records.append(d)
len(records), len(bad)
# %%
df = pd.DataFrame(records)
df.dtypes
# %%
df["ms"] = pd.to_numeric(df.ms)
df["user"] = df.user.astype(int)
# %%
df.groupby("level").ms.agg(["count", "mean"]).round(1)
# %%
df = df.set_index("ts").sort_index()
hourly = df.resample("h").ms.mean()
hourly
# %%
err = df[df.level == "ERROR"]
err.shape
# %%
gaps = err.index.to_series().diff().dropna()
gaps.max()
# %%
users = {}
for u, part in df.groupby("user"):
    users[u] = part.ms.quantile(.9)
users
# %%
users = {k: v for k, v in users.items() if v > 70}
users
# %%
bad = [b for b in bad if b.startswith("2024")]
bad
# %%
slow = df.ms > df.ms.quantile(.8)
df["slow"] = slow
pd.crosstab(df.level, df.slow)
# %%
df.loc[df.slow, "level"] = df.loc[df.slow, "level"].str.lower()
df.level.unique().tolist()
# %%
report = {"bad": len(bad), "slow": int(df.slow.sum()), "busiest": str(hourly.idxmax()), "users": users}
report
