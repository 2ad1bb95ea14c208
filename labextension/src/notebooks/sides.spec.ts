import { describe, expect, it } from 'vitest';

import { sides } from './sides';

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
