# %%
import csv, json, os
from pathlib import Path
import pandas as pd
# %%
rows = [("anna", 31, "NYC"), ("ben", 25, "LA"), ("cleo", 47, "NYC"), ("dan", 38, "SF")]
with open("people.csv", "w", newline="") as f:
    wr = csv.writer(f)
    wr.writerow(["name", "age", "city"])
    wr.writerows(rows)
# %%
print(open("people.csv").read())
# %%
people = pd.read_csv("people.csv")
people
# %%
people["age"] += 1
people.to_csv("people.csv", index=False)
# %%
again = pd.read_csv("people.csv")
again.age.mean()
# %%
by_city = {}
for _, r in again.iterrows():
    by_city.setdefault(r["city"], []).append(r["name"])
by_city
# %%
json.dump(by_city, open("cities.json", "w"))
# %%
Path("notes").mkdir(exist_ok=True)
for city, names in by_city.items():
    (Path("notes") / f"{city}.txt").write_text("\n".join(names))
sorted(os.listdir("notes"))
# %%
loaded = json.loads(Path("cities.json").read_text())
loaded["NYC"].append("eve")
loaded
# %%
text = ""
for p in sorted(Path("notes").glob("*.txt")):
    text += p.stem + ":" + p.read_text().replace("\n", ",") + ";"
text
# %%
path = "big.csv"
pd.DataFrame({"n": range(100), "sq": [i * i for i in range(100)]}).to_csv(path)
# %%
total = 0
for chunk in pd.read_csv(path, chunksize=30):
    total += chunk.sq.sum()
int(total)
# %%
with open("people.csv") as f:
    reader = csv.DictReader(f)
    oldest = max(reader, key=lambda r: int(r["age"]))
oldest
# %%
os.path.getsize("people.csv") > 10
# %%
summary = pd.DataFrame([{"city": k, "n": len(v)} for k, v in loaded.items()]).sort_values("n", ascending=False)
summary
