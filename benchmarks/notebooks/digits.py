# %%
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
from sklearn import datasets, svm, metrics
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.neighbors import KNeighborsClassifier
# %%
digits = datasets.load_digits()
X = digits.images.reshape(len(digits.images), -1)
y = digits.target
# %%
fig, axes = plt.subplots(1, 4)
for ax, im in zip(axes, digits.images):
    ax.imshow(im, cmap="gray_r")
    ax.axis("off")
# %%
X /= 16
X.max()
# %%
idx = np.arange(len(X))
np.random.RandomState(0).shuffle(idx)
X, y = X[idx], y[idx]
# %%
cut = 1000
Xa, Xb = X[:cut], X[cut:]
ya, yb = y[:cut], y[cut:]
# %%
class Threshold(BaseEstimator, TransformerMixin):
    def __init__(self, t=.3):
        self.t = t
    def fit(self, X, y=None):
        self.mean_ = X.mean()
        return self
    def transform(self, X):
        return (X > self.t).astype(float)
# %%
pipe = Pipeline([("th", Threshold()), ("pca", PCA(20, random_state=0)), ("knn", KNeighborsClassifier(3))])
pipe.fit(Xa, ya)
pipe.score(Xb, yb)
# %%
acc = {}
for t in (.1, .3, .6):
    pipe.set_params(th__t=t)
    acc[t] = pipe.fit(Xa, ya).score(Xb, yb)
acc
# %%
best_t = max(acc, key=acc.get)
pipe.set_params(th__t=best_t).fit(Xa, ya)
# %%
pred = pipe.predict(Xb)
cm = metrics.confusion_matrix(yb, pred)
cm
# %%
cm_df = pd.DataFrame(cm)
np.fill_diagonal(cm, 0)
worst = np.unravel_index(cm.argmax(), cm.shape)
worst
# %%
km = KMeans(10, n_init=1, random_state=1).fit(Xa)
labels = pd.Series(km.labels_).map(lambda c: np.bincount(ya[km.labels_ == c]).argmax())
(labels == ya).mean().round(2)
# %%
emb = PCA(2, random_state=0).fit_transform(Xa)
plt.scatter(*emb.T, c=ya, s=3)
plt.colorbar()
plt.show()
# %%
centers = pd.DataFrame(emb, columns=["a", "b"]).groupby(ya).mean()
centers.round(1)
# %%
clf = svm.SVC(gamma=.05)
clf.fit(Xa[:300], ya[:300])
acc["svc"] = clf.score(Xb, yb)
# %%
pd.Series(acc).round(3).to_dict() | {"worst": [int(i) for i in worst], "t": best_t}
