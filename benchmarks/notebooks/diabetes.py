# %%
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge, Lasso
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import KFold, GridSearchCV, train_test_split
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler, PolynomialFeatures
from sklearn.pipeline import Pipeline
from sklearn.ensemble import RandomForestRegressor
SEED = 0
# %%
data = load_diabetes(as_frame=True)
df = data.frame
df.describe()
# %%
df["sex"] = np.where(df.sex > 0, "m", "f")
df["age_group"] = pd.cut(df.age, 3, labels=["young", "mid", "old"]).astype(str)
# %%
df.groupby("age_group").target.mean()
# %%
target = df.pop("target")
X_train, X_test, y_train, y_test = train_test_split(df, target, random_state=SEED)
# %%
num = [c for c in df.columns if df[c].dtype == float]
cat = ["sex", "age_group"]
num
# %%
pre = ColumnTransformer([("n", StandardScaler(), num), ("c", OneHotEncoder(), cat)])
# %%
def evaluate(model, name, store):
    pipe = Pipeline([("pre", pre), ("m", model)])
    pipe.fit(X_train, y_train)
    pred = pipe.predict(X_test)
    store.append({"name": name, "mse": mean_squared_error(y_test, pred), "r2": r2_score(y_test, pred)})
    return pipe
# %%
scores = []
lin = evaluate(LinearRegression(), "lin", scores)
# %%
scores
# %%
for a in (.1, 1, 10):
    evaluate(Ridge(a), f"ridge{a}", scores)
# %%
rf = evaluate(RandomForestRegressor(30, random_state=SEED), "rf", scores)
pd.DataFrame(scores).round(3)
# %%
grid = GridSearchCV(Lasso(), {"alpha": [.01, .1, 1]}, cv=KFold(3, shuffle=True, random_state=SEED))
grid.fit(pre.transform(X_train), y_train)
grid.best_params_
# %%
coef = pd.Series(grid.best_estimator_.coef_, index=pre.get_feature_names_out())
coef[coef.abs() > 1].round(2)
# %%
resid = y_test - lin.predict(X_test)
resid.abs().nlargest(3)
# %%
X_test["resid"] = resid
X_test.groupby("sex").resid.agg(["mean", "std"])
# %%
scores.sort(key=lambda s: s["mse"])
best = scores[0]
best
