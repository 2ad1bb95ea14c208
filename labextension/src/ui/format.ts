/** Figures and times as people say them. Pure: the clock is an argument. */
import type { TranslationBundle } from '@jupyterlab/translation';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** `31 GiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let step = 0;
  while (value >= 1024 && step < units.length - 1) {
    value /= 1024;
    step++;
  }
  return `${value >= 100 || step === 0 ? Math.round(value) : Math.round(value * 10) / 10} ${units[step]}`;
}

/** `0.4 s`, `4 min 12 s`, `2 h 3 min`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) {
    return `${Math.round(seconds * 10) / 10} s`;
  }
  const whole = Math.round(seconds);
  if (whole < MINUTE) {
    return `${whole} s`;
  }
  if (whole < HOUR) {
    return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  }
  return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
}

/** `6 hours ago`, `just now`; times to come are `in 5 hours`. */
export function relative(iso: string, trans: TranslationBundle, locale: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  const units = [
    ['day', DAY],
    ['hour', HOUR],
    ['minute', MINUTE]
  ] as const;
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size) {
      return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(
        Math.round(seconds / size),
        unit
      );
    }
  }
  return seconds > 1 ? trans.__('in less than a minute') : trans.__('just now');
}

/** `25 Nov 2026, 03:00:00 UTC`: what stands in the tooltip of a relative time. */
export function absolute(iso: string, locale: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(locale, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
    timeZone
  }).format(new Date(iso));
}

/** `Wed 25 Nov, 03:00`: one of the next times of a schedule, in its own zone. */
export function occasion(iso: string, locale: string, timeZone?: string): string {
  try {
    return new Intl.DateTimeFormat(locale, {
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
      timeZone
    }).format(new Date(iso));
  } catch {
    // A zone that the server knows and this browser does not: the server has written the time in it.
    return iso.slice(0, 16).replace('T', ' ');
  }
}

/** `10:42`. */
export function clock(moment: Date, locale: string): string {
  return new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(
    moment
  );
}

/** `42 %` as the locale writes it. */
export function percent(fraction: number, locale: string): string {
  return new Intl.NumberFormat(locale, { style: 'percent' }).format(fraction);
}

/** Two letters for a person: `AS` of 'ana.souza' or 'Ana Souza'. */
export function initials(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? words[0][0] + words[words.length - 1][0] : name.slice(0, 2);
  return letters.toUpperCase();
}

/** The middle one of some figures; null when there is none. */
export function median(values: readonly number[]): number | null {
  if (!values.length) {
    return null;
  }
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
