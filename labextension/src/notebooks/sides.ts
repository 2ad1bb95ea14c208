/** The two sides of a conflict in a cell's source, between git's marks. The server reads them by the same rules. */
export interface Sides {
  mine: string;
  theirs: string;
  both: string;
  mineLabel: string;
  theirsLabel: string;
}

/** null when there is no complete conflict. */
export function sides(source: string): Sides | null {
  const made: Sides = { mine: '', theirs: '', both: '', mineLabel: '', theirsLabel: '' };
  let within: '' | 'mine' | 'base' | 'theirs' = '';
  let found = false;
  const lines = source.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  for (const line of lines) {
    const text = line.replace(/\r?\n$/, '');
    const [word, label] = [text.split(' ', 1)[0], text.slice(text.indexOf(' ') + 1 || text.length)];
    if (!within && word === '<<<<<<<') {
      within = 'mine';
      made.mineLabel = label;
    } else if (within === 'mine' && word === '|||||||') {
      within = 'base';
    } else if ((within === 'mine' || within === 'base') && text === '=======') {
      within = 'theirs';
    } else if (within === 'theirs' && word === '>>>>>>>') {
      within = '';
      found = true;
      made.theirsLabel = label;
    } else if (within !== 'base') {
      made.mine += within === 'theirs' ? '' : line;
      made.theirs += within === 'mine' ? '' : line;
      made.both += line;
    }
  }
  if (within || !found) {
    return null;
  }
  const ended = (text: string) => (source.endsWith('\n') ? text : text.replace(/\n$/, ''));
  return { ...made, mine: ended(made.mine), theirs: ended(made.theirs), both: ended(made.both) };
}

export type Side = 'mine' | 'theirs' | 'both';

/** Both sides of a source with marks, mine first; the source itself when it has none. */
export function both(source: string): string {
  return sides(source)?.both ?? source;
}

/** Which side was taken to have this source; undefined when it is nobody's. */
export function taken(of: Record<Side, string | null>, source: string | null): Side | undefined {
  return (Object.keys(of) as Side[]).find(side => of[side] === source);
}
