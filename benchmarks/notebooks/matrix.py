# %%
import numpy as np
from numpy import linalg as la
np.set_printoptions(precision=3, suppress=True)
# %%
A = np.arange(16, dtype=float).reshape(4, 4)
A
# %%
B = A
B[0, 0] = 10
C = A.copy()
C[1] = 0
# %%
A += np.eye(4)
A
# %%
np.random.seed(0)
R = np.random.rand(4, 4)
# %%
view = A[1:, 1:]
view *= 2
A
# %%
la.det(A), la.matrix_rank(A)
# %%
np.fill_diagonal(R, 1)
R.sum()
# %%
S = R @ R.T
vals, vecs = la.eigh(S)
vals
# %%
def power(M, n=50):
    v = np.ones(len(M))
    for _ in range(n):
        v = M @ v
        v /= la.norm(v)
    return v, v @ M @ v

v, lam = power(S)
lam - vals[-1]
# %%
noise = np.random.randn(100)
noise.sort()
noise[:3]
# %%
hist, edges = np.histogram(noise, bins=5)
hist
# %%
acc = np.zeros(5)
for i, h in enumerate(hist):
    acc[i:] += h
acc
# %%
mask = R > .5
R[mask] = 0
R
# %%
x = la.solve(S + np.eye(4), A.sum(axis=0))
x
# %%
out = np.empty(4)
np.multiply(x, 2, out=out)
out
# %%
K = np.kron(np.eye(2), B[:2, :2])
K
# %%
C.T[0] = x
np.round(C.sum() + K.trace() + lam + out.sum(), 6)
