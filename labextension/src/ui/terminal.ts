/** What a terminal would show of a program's output, as plain text. */

const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** Without colours and cursor movements. */
export function withoutEscapes(text: string): string {
  return text.replace(ESCAPES, '');
}

/** Lines as they stand after every carriage return: a progress bar leaves its last state only. */
export function settled(text: string): string {
  if (!text.includes('\r')) {
    return text;
  }
  return text
    .replace(/\r+\n/g, '\n')
    .split('\n')
    .map(line => {
      const parts = line.split('\r');
      return parts[parts.length - 1] || parts[parts.length - 2] || '';
    })
    .join('\n');
}

/** A log that grows by pieces, which may end in the middle of a line, and forgets its beginning when too long. */
export class Scroll {
  /** At most `limit` characters are kept. */
  constructor(private readonly limit = 2_000_000) {}

  get text(): string {
    return this.kept + this.open;
  }

  /** Whether the beginning has been dropped. */
  get cut(): boolean {
    return this.wasCut;
  }

  get lines(): number {
    return this.ended + (this.open ? 1 : 0);
  }

  append(piece: string): void {
    const whole = settled(withoutEscapes(this.pending + piece));
    const end = whole.lastIndexOf('\n') + 1;
    this.kept += whole.slice(0, end);
    this.ended += count(whole.slice(0, end));
    this.open = whole.slice(end);
    this.pending = (this.pending + piece).slice((this.pending + piece).lastIndexOf('\n') + 1);
    if (this.kept.length > this.limit) {
      const from = this.kept.indexOf('\n', this.kept.length - this.limit / 2) + 1;
      this.kept = this.kept.slice(from);
      this.wasCut = true;
    }
  }

  private kept = '';
  private open = '';
  /** The open line as it came, carriage returns included. */
  private pending = '';
  private ended = 0;
  private wasCut = false;
}

function count(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    lines++;
  }
  return lines;
}
