# %%
import calendar, locale, zoneinfo
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal, getcontext
from fractions import Fraction
getcontext().prec = 10
# %%
start = date(2024, 1, 31)
def add_months(d, n):
    y, m = divmod(d.month - 1 + n, 12)
    y += d.year
    m += 1
    return date(y, m, min(d.day, calendar.monthrange(y, m)[1]))
# %%
dues = [add_months(start, k) for k in range(6)]
dues
# %%
holidays = {date(2024, 5, 1), date(2024, 12, 25)}
# %%
def workday(d):
    while d.weekday() > 4 or d in holidays:
        d += timedelta(1)
    return d
# %%
dues = [workday(d) for d in dues]
[str(d) for d in dues]
# %%
holidays.add(date(2024, 4, 30))
dues2 = list(map(workday, dues))
dues2
# %%
loan, rate = Decimal("1000"), Decimal("0.05")
loan
# %%
plan = []
for due in dues2:
    interest = loan * rate / 12
    pay = min(Decimal(200), loan + interest)
    loan += interest - pay
    plan.append((due, round(pay, 2), round(loan, 2)))
plan
# %%
getcontext().prec = 4
Decimal(1) / 3
# %%
loan / 7
# %%
utc = datetime(2024, 3, 10, 12, tzinfo=timezone.utc)
ny = zoneinfo.ZoneInfo("America/New_York")
meetings = {}
for c in ("Europe/Berlin", "Asia/Tokyo"):
    meetings[c] = utc.astimezone(zoneinfo.ZoneInfo(c)).strftime("%H:%M")
meetings
# %%
meetings["NY"] = utc.astimezone(ny).strftime("%H:%M")
# %%
f = sum((Fraction(1, n) for n in range(1, 8)), Fraction(0))
f
# %%
weeks = {}
for d in dues2:
    weeks.setdefault(d.isocalendar()[1], []).append(d.strftime("%a"))
weeks
# %%
days = (dues2[-1] - start).days
days
# %%
calendar.setfirstweekday(6)
calendar.monthcalendar(2024, 2)[0]
# %%
{"loan": str(loan / 7), "days": days, "ny": meetings["NY"], "f": f"{float(f):.3f}", "weeks": sorted(weeks)}
