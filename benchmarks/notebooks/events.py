# %%
import pandas as pd
import numpy as np
from functools import wraps
from collections import defaultdict
rng = np.random.RandomState(11)
# %%
n = 500
ev = pd.DataFrame({
    "user": rng.randint(0, 40, n),
    "kind": rng.choice(["view", "cart", "buy"], n, p=[.7, .2, .1]),
    "t": pd.to_datetime("2024-01-01") + pd.to_timedelta(np.sort(rng.randint(0, 86400 * 14, n)), unit="s"),
    "amount": rng.gamma(2, 10, n).round(2),
})
ev.loc[ev.kind != "buy", "amount"] = np.nan
ev.head()
# %%
handlers = {}
def on(kind):
    def deco(f):
        handlers[kind] = f
        return f
    return deco
# %%
state = defaultdict(lambda: {"views": 0, "spent": 0.0})
@on("view")
def _(row):
    state[row.user]["views"] += 1
@on("buy")
def _(row):
    state[row.user]["spent"] += row.amount
# %%
for row in ev.itertuples():
    h = handlers.get(row.kind)
    if h:
        h(row)
len(state)
# %%
@on("cart")
def cart(row):
    state[row.user].setdefault("carts", []).append(row.t)
# %%
for row in ev[ev.kind == "cart"].itertuples():
    handlers["cart"](row)
st = pd.DataFrame.from_dict(state, orient="index").sort_index()
st.head()
# %%
st["carts"] = st.carts.apply(lambda v: len(v) if isinstance(v, list) else 0)
st.sum()
# %%
ev = ev.sort_values(["user", "t"])
ev["gap"] = ev.groupby("user").t.diff().dt.total_seconds().fillna(0)
ev["session"] = (ev.gap > 6 * 3600).groupby(ev.user).cumsum()
# %%
sess = ev.groupby(["user", "session"]).agg(n=("kind", "size"), spent=("amount", "sum"))
sess.describe().round(2)
# %%
conv = ev.groupby(ev.t.dt.date).kind.value_counts().unstack(fill_value=0)
conv["rate"] = conv.buy / conv.view
conv.rate.round(3)
# %%
ev["day"] = ev.t.dt.day_name()
ev.groupby("day").amount.sum().round(1)
# %%
handlers.pop("view")
sorted(handlers)
# %%
ab = rng.permutation(40)[:20]
grp = np.where(st.index.isin(ab), "A", "B")
st.groupby(grp).spent.mean().round(2)
# %%
def perm_test(a, b, k=200):
    obs = a.mean() - b.mean()
    allv = np.concatenate([a, b])
    hits = 0
    for _ in range(k):
        rng.shuffle(allv)
        hits += abs(allv[:len(a)].mean() - allv[len(a):].mean()) >= abs(obs)
    return hits / k
pv = perm_test(st.spent[grp == "A"].values, st.spent[grp == "B"].values)
pv
# %%
vip = st[st.spent > st.spent.quantile(.9)].index.tolist()
vip
# %%
dict(p=pv, vip=vip, sessions=len(sess), handlers=len(handlers), rate=round(float(conv.rate.mean()), 3))
