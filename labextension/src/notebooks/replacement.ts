/** What to replace in a text to make it another, so that cursors beside it stay. */
export function replacement(before: string, after: string): { start: number; end: number; text: string } {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) {
    start++;
  }
  let rest = 0;
  while (rest < most - start && before[before.length - 1 - rest] === after[after.length - 1 - rest]) {
    rest++;
  }
  return { start, end: before.length - rest, text: after.slice(start, after.length - rest) };
}
