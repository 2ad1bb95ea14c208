# %%
import random
import statistics as st
import itertools as it
import math
random.seed(7)
# %%
rolls = [random.randint(1, 6) for _ in range(100)]
st.mean(rolls)
# %%
# dead end
junk = [random.gauss(0, 1) for _ in range(10)]
# %%
def walk(n):
    x = 0
    for _ in range(n):
        x += random.choice([-1, 1])
        yield x
# %%
w = list(walk(50))
w[-1]
# %%
ends = []
for i in range(200):
    *_, last = walk(30)
    ends.append(last)
st.pstdev(ends)
# %%
gen = walk(20)
first = list(it.islice(gen, 5))
first
# %%
rest = list(gen)
len(rest), rest[-1]
# %%
N = 1000
inside = 0
for _ in range(N):
    if random.random() ** 2 + random.random() ** 2 <= 1:
        inside += 1
pi = 4 * inside / N
pi
# %%
random.seed(1)
deck = list(it.product("SHDC", range(1, 14)))
random.shuffle(deck)
hand = deck[:5]
hand
# %%
def draw(n):
    global deck
    got, deck = deck[:n], deck[n:]
    return got

hands = [draw(5) for _ in range(4)]
len(deck)
# %%
hands[0]
# %%
flush = [len({s for s, _ in h}) == 1 for h in hands]
any(flush)
# %%
vals = sorted(v for h in hands for _, v in h)
hist = {k: len(list(g)) for k, g in it.groupby(vals)}
hist
# %%
err = abs(pi - math.pi)
quant = st.quantiles(ends, n=4)
{"err": round(err, 4), "q": quant, "left": len(deck), "top": max(hist, key=hist.get)}
