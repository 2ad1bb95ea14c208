# %%
import pandas as pd, numpy as np, itertools, json
from sklearn.datasets import load_wine
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler
wine = load_wine(as_frame=True)
df = wine.frame.copy()
df.head(2)
# %%
df.columns = [c.replace("/", "_").replace(" ", "_") for c in df.columns]
# %%
feats = list(df.columns)
feats.remove("target")
len(feats)
# %%
low = df.alcohol.quantile(.02)
df = df.query("alcohol > @low")
df.shape
# %%
df.eval("ratio = flavanoids / total_phenols", inplace=True)
feats += ["ratio"]
# %%
sc = StandardScaler()
Z = sc.fit_transform(df[feats])
Z.mean().round(3)
# %%
df[feats] = Z
df.describe().loc["std"].round(2)
# %%
sel = SelectKBest(f_classif, k=5).fit(df[feats], df.target)
keep = [f for f, s in zip(feats, sel.get_support()) if s]
keep
# %%
corr = df[keep].corr().abs()
drop = set()
for a, b in itertools.combinations(keep, 2):
    if corr.loc[a, b] > .8:
        drop.add(b)
drop
# %%
keep = [k for k in keep if k not in drop]
# %%
cv = StratifiedKFold(4, shuffle=True, random_state=2)
model = LogisticRegression(C=.5)
pred = cross_val_predict(model, df[keep], df.target, cv=cv)
(pred == df.target).mean()
# %%
model.fit(df[keep], df.target)
coefs = pd.DataFrame(model.coef_, columns=keep).round(3)
coefs
# %%
for name in keep[:2]:
    print(name, df.groupby("target")[name].mean().round(2).tolist())
# %%
miss = df[pred != df.target].assign(pred=pred[pred != df.target])[keep + ["target", "pred"]]
miss
# %%
with open("model.json", "w") as f:
    json.dump({"keep": keep, "coef": model.coef_.tolist()}, f)
# %%
saved = json.load(open("model.json"))
np.allclose(saved["coef"], model.coef_)
# %%
sc2 = StandardScaler().fit(wine.data)
sc.mean_[:2] - sc2.mean_[:2]
# %%
acc = float((pred == df.target).mean())
print(json.dumps({"acc": round(acc, 3), "n": len(saved["keep"]), "miss": len(miss)}))
acc
