# %%
import pandas as pd
import numpy as np
rng = np.random.default_rng(5)
# %%
names = ["Ana", "Bo", "Cy", "Di", "Ed", "Flo"]
subjects = ["math", "art", "bio"]
grades = pd.DataFrame(rng.integers(40, 100, (6, 3)), index=names, columns=subjects)
grades
# %%
rng.normal(size=3)
# %%
grades.loc["Bo", "art"] = np.nan
g = grades
# %%
g["bio"] = g.bio.clip(upper=90)
# %%
grades.mean()
# %%
g = g.fillna(g.mean())
g
# %%
curve = rng.uniform(0, 5, size=len(g)).round(1)
g = g.add(curve, axis=0)
g
# %%
letters = g.map(lambda v: "A" if v > 85 else "B" if v > 70 else "C")
letters
# %%
gpa = letters.replace({"A": 4, "B": 3, "C": 2}).astype(int).mean(axis=1)
gpa
# %%
long = g.reset_index().melt("index", var_name="subject")
long.columns = ["student", "subject", "score"]
long.head()
# %%
long["rank"] = long.groupby("subject").score.rank(ascending=False)
tops = long[long["rank"] == 1]
tops
# %%
classes = pd.Series(["x", "y"] * 3, index=names, name="cls")
m = long.merge(classes, left_on="student", right_index=True)
m.groupby("cls").score.mean()
# %%
pivot = m.pivot_table("score", "cls", "subject")
pivot
# %%
boot = [rng.choice(long.score, 18).mean() for _ in range(200)]
np.percentile(boot, [5, 95]).round(2)
# %%
grades.iloc[0, 0] = 0
grades.math.sum()
# %%
np.round([gpa.mean(), pivot.values.max(), np.mean(boot)], 2)
