# %%
%matplotlib inline
import numpy as np, pandas as pd
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
import matplotlib.pyplot as plt
# %%
np.random.seed(42)
# %%
iris = load_iris()
X, y = iris.data, iris.target
print(X.shape)
# %%
noise = np.random.normal(0, .3, X.shape)
X = X + noise
# %%
plt.scatter(X[:, 0], X[:, 1], c=y)
plt.title("with noise")
# %%
Xtr, Xte, ytr, yte = train_test_split(X, y, test_size=.3)
len(Xtr), len(Xte)
# %%
results = {}
# %%
clf = LogisticRegression(max_iter=500)
clf.fit(Xtr, ytr)
results["logreg"] = clf.score(Xte, yte)
results
# %%
clf = make_pipeline(StandardScaler(), LogisticRegression())
clf.fit(Xtr, ytr)
results["scaled"] = clf.score(Xte, yte)
# %%
for depth in [1, 2, 3, None]:
    tree = DecisionTreeClassifier(max_depth=depth, random_state=1)
    tree.fit(Xtr, ytr)
    results[f"tree{depth}"] = tree.score(Xte, yte)
results
# %%
best = max(results, key=results.get)
best
# %%
scores = cross_val_score(clf, X, y, cv=5)
scores.mean().round(3), scores.std().round(3)
# %%
importances = pd.Series(tree.feature_importances_, index=iris.feature_names).sort_values()
importances.plot.barh()
# %%
wrong = Xte[tree.predict(Xte) != yte]
wrong
# %%
draw = np.random.permutation(len(Xte))[:10]
pd.DataFrame(Xte[draw], columns=iris.feature_names).assign(true=yte[draw], pred=clf.predict(Xte[draw]))
# %%
final = pd.Series(results).sort_values(ascending=False).round(4)
final
