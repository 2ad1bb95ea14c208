# %%
from collections import namedtuple, deque, OrderedDict, ChainMap
from contextlib import contextmanager
import copy, heapq, bisect
Item = namedtuple("Item", "sku qty price")
# %%
stock = {}
history = deque(maxlen=5)
def add(sku, qty, price=1.0):
    old = stock.get(sku)
    stock[sku] = Item(sku, qty + (old.qty if old else 0), price)
    history.append(("add", sku))
def take(sku, qty):
    it = stock[sku]
    if it.qty < qty:
        raise KeyError(sku)
    stock[sku] = it._replace(qty=it.qty - qty)
    history.append(("take", sku))
# %%
add("nut", 10, .1)
add("bolt", 5, .25)
# %%
stock
# %%
backup = stock.copy()
deep = copy.deepcopy(stock)
# %%
@contextmanager
def undo():
    saved = dict(stock)
    try:
        yield stock
    except KeyError:
        stock.clear()
        stock.update(saved)
# %%
with undo():
    take("nut", 4)
    take("bolt", 99)
stock["nut"]
# %%
with undo() as s:
    take("nut", 1)
    s["gear"] = Item("gear", 1, 9.5)
len(stock)
# %%
list(history)
# %%
value = lambda: round(sum(i.qty * i.price for i in stock.values()), 2)
value()
# %%
add("washer", 100, .01)
# %%
value()
# %%
queue = []
for i in stock.values():
    heapq.heappush(queue, (-i.price, i.sku))
# %%
top = heapq.heappop(queue)
top
# %%
prices = sorted(i.price for i in stock.values())
bisect.insort(prices, .5)
prices
# %%
defaults = {"tax": .2, "fee": 0}
conf = ChainMap({"fee": 1}, defaults)
defaults["tax"] = .19
conf["fee"] += 1
# %%
def total():
    return round(value() * (1 + conf["tax"]) + conf["fee"], 3)
total()
# %%
moves = [(op, len(sku)) for op, sku in history]
moves
# %%
[total(), top, len(queue), len(backup), prices[-1], deep == backup]
