# %%
import functools, time, operator
from functools import lru_cache, reduce, partial
calls = 0
# %%
def counted(f):
    @functools.wraps(f)
    def inner(*a, **k):
        inner.calls += 1
        return f(*a, **k)
    inner.calls = 0
    return inner
# %%
@lru_cache(maxsize=None)
def fib(n):
    global calls
    calls += 1
    return n if n < 2 else fib(n - 1) + fib(n - 2)
# %%
fib(30)
# %%
calls
# %%
@counted
def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps

collatz(27)
# %%
table = {n: collatz(n) for n in range(1, 20)}
table
# %%
collatz.calls
# %%
t0 = time.time()
primes = [n for n in range(2, 500) if all(n % d for d in range(2, int(n ** .5) + 1))]
took = time.time() - t0
len(primes)
# %%
prod = reduce(operator.mul, primes[:8], 1)
prod
# %%
add5 = partial(operator.add, 5)
list(map(add5, primes[:4]))
# %%
cache = {}
def memo(f):
    def g(x):
        if x not in cache:
            cache[x] = f(x)
        return cache[x]
    return g

@memo
def slow(x):
    return x ** 2 + len(cache)
# %%
slow(2), slow(3)
# %%
vals = [slow(i) for i in range(6)]
vals
# %%
cache.clear()
slow(9)
# %%
fib.cache_info().currsize
# %%
def compose(*fs):
    return reduce(lambda f, g: lambda x: g(f(x)), fs)

h = compose(add5, slow, str)
h(1)
# %%
[collatz.calls, calls, len(cache), h(2), max(table, key=table.get)]
