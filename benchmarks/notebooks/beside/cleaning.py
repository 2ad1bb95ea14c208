"""What the analysts of this folder share."""

SEEN = []


def tidy(frame):
    out = frame.rename(columns=lambda name: name.strip().lower().replace(" ", "_"))
    SEEN.append(len(out))
    return out


def share(part, whole):
    return round(100 * part / whole, 2)


class Clock:
    def __init__(self):
        self.minutes = 0

    def add(self, minutes):
        self.minutes += minutes
        return self
