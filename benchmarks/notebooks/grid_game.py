# %%
import random, itertools, copy
import numpy as np
random.seed(3); np.random.seed(3)
W, H = 12, 8
# %%
grid = [[random.random() < .3 for _ in range(W)] for _ in range(H)]
sum(map(sum, grid))
# %%
def show(g):
    print("\n".join("".join("#" if c else "." for c in row) for row in g))
show(grid)
# %%
def neighbours(g, r, c):
    return sum(g[(r + i) % H][(c + j) % W] for i, j in itertools.product((-1, 0, 1), repeat=2) if i or j)

def step(g):
    new = copy.deepcopy(g)
    for r in range(H):
        for c in range(W):
            n = neighbours(g, r, c)
            new[r][c] = n == 3 or (g[r][c] and n == 2)
    return new
# %%
history = [grid]
for _ in range(10):
    grid = step(grid)
    history.append(grid)
[sum(map(sum, g)) for g in history]
# %%
show(grid)
# %%
history[0][0][0] = True
alive0 = sum(map(sum, history[0]))
alive0
# %%
class Robot:
    count = 0
    def __init__(self, name):
        self.name, self.pos, self.path = name, (0, 0), []
        Robot.count += 1
    def go(self, steps):
        for _ in range(steps):
            r, c = self.pos
            dr, dc = random.choice([(0, 1), (1, 0), (0, -1), (-1, 0)])
            self.pos = ((r + dr) % H, (c + dc) % W)
            self.path.append(self.pos)
        return self
    def __repr__(self):
        return f"<{self.name} {self.pos}>"
# %%
r1, r2 = Robot("one"), Robot("two")
team = [r1, r2]
# %%
r1.go(5)
# %%
for r in team:
    r.go(3)
r1.pos, r2.pos
# %%
Robot.count
# %%
heat = np.zeros((H, W), int)
for r in team:
    for p in r.path:
        heat[p] += 1
heat.sum(), heat.max()
# %%
arr = np.array(grid, dtype=int)
both = arr * heat
noise = np.random.randint(0, 2, arr.shape)
both += noise
both
# %%
team.append(Robot("three").go(10))
met = {p for a, b in itertools.combinations(team, 2) for p in set(a.path) & set(b.path)}
sorted(met)
# %%
dict(alive=alive0, robots=Robot.count, both=int(both.sum()), met=len(met), last=team[-1].pos)
