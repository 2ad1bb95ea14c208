/** What to replace in a text to make it another, so that cursors beside it stay. */
export function replacement(before: string, after: string): { start: number; end: number; text: string } {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) {
    start++;
  }
  start -= Number(isLow(before, start) || isLow(after, start));
  let rest = 0;
  while (rest < most - start && before[before.length - 1 - rest] === after[after.length - 1 - rest]) {
    rest++;
  }
  rest -= Number(isLow(before, before.length - rest));
  return { start, end: before.length - rest, text: after.slice(start, after.length - rest) };
}

/** Whether a character beyond U+FFFF begins just before: shared texts do not keep halves of one. */
function isLow(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code < 0xe000;
}
