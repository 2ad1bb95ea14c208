import { describe, expect, it } from 'vitest';

import { gitAdd } from './gitAdd';
import { both, sides, taken } from './sides';

describe('the sides of a conflict', () => {
  it('are what stands between the marks, with what both share', () => {
    const found = sides('a\n<<<<<<< mine\nx = 1\n=======\nx = 2\n>>>>>>> dev one\nb');
    expect(found).toEqual({
      mine: 'a\nx = 1\nb',
      theirs: 'a\nx = 2\nb',
      both: 'a\nx = 1\nx = 2\nb',
      mineLabel: 'mine',
      theirsLabel: 'dev one'
    });
  });

  it('leave the base out', () => {
    expect(sides('<<<<<<< a\n1\n||||||| base\n0\n=======\n2\n>>>>>>> b')?.both).toBe('1\n2');
  });

  it('are empty on the side that removed the cell', () => {
    expect(sides('<<<<<<< mine\nx\n=======\n>>>>>>> dev')).toMatchObject({ mine: 'x', theirs: '' });
  });

  it.each(['', 'x = 1', '<<<<<<< a\nx', 'Title\n=======\n', '<<<<<<< a\nx\n=======\ny', '>>>>>>> b'])(
    'are none in %j',
    source => {
      expect(sides(source)).toBeNull();
    }
  );
});

describe('which side was taken', () => {
  const of = { mine: 'x = 1', theirs: null, both: 'x = 1\nx = 2' };

  it.each([
    ['x = 1', 'mine'],
    [null, 'theirs'],
    ['x = 1\nx = 2', 'both'],
    ['x = 3', undefined]
  ])('of %j is %s', (source, side) => {
    expect(taken(of, source)).toBe(side);
  });

  it('is both where there is nothing to choose', () => {
    expect(both('x = 1')).toBe('x = 1');
  });
});

describe('what to tell git', () => {
  it.each([
    ['work/a.ipynb', 'git add -- a.ipynb && git commit'],
    ["it's mine.py", "git add -- 'it'\\''s mine.py' && git commit"],
    ['-f.py', "git add -- '-f.py' && git commit"]
  ])('of %s', (path, line) => {
    expect(gitAdd(path)).toBe(line);
  });
});
