# %%
import re, string
from collections import Counter
text = """It was the best of times, it was the worst of times, it was the age of wisdom,
it was the age of foolishness, it was the epoch of belief, it was the epoch of incredulity,
it was the season of Light, it was the season of Darkness, it was the spring of hope,
it was the winter of despair, we had everything before us, we had nothing before us."""
# %%
len(text)
# %%
clean = text.lower()
for p in string.punctuation:
    clean = clean.replace(p, "")
clean[:50]
# %%
words = clean.split()
words[:5]
# %%
c = Counter(words)
c.most_common(3)
# %%
stop = set("the of it was we had".split())
# %%
stop |= {"us", "before"}
# %%
for w in list(c):
    if w in stop:
        del c[w]
c
# %%
lens = {}
for w in c:
    lens.setdefault(len(w), []).append(w)
lens
# %%
longest = lens[max(lens)]
longest
# %%
bigrams = Counter(zip(words, words[1:]))
bigrams.most_common(5)
# %%
def score(word, cache={}):
    if word not in cache:
        cache[word] = sum(ord(ch) - 96 for ch in word)
    return cache[word]

scores = {w: score(w) for w in set(words)}
top = sorted(scores, key=lambda w: (-scores[w], w))[:5]
top
# %%
words.sort()
words[0], words[-1]
# %%
import textwrap
lines = textwrap.wrap(text, 40)
lines
# %%
pat = re.compile(r"(\w+) of (\w+)")
pairs = pat.findall(text)
pairs[:3]
# %%
d = dict(pairs)
d["times"] = d.pop("best")
d
# %%
uniq = sorted(set(words) - stop)
ratio = len(uniq) / len(words)
print(ratio)
# %%
out = {"ratio": round(ratio, 3), "longest": longest, "top": top, "pairs": len(pairs), "d": d}
out
