import { expect, it } from 'vitest';

import type { Proof } from '../api';
import { trans } from '../testing/fake';
import { verdictWords } from './words';

const PROOF: Proof = {
  verdict: 'same',
  reason: '',
  differences: [],
  compared: [],
  seconds: 3,
  tolerance: 1e-9,
  cluster: ''
};

it('names the cluster that a proof computed on', () => {
  expect(verdictWords(PROOF, trans)).toBe('Same result as the notebook');
  expect(verdictWords({ ...PROOF, cluster: 'etl' }, trans)).toBe(
    'Same result as the notebook, on the cluster etl'
  );
});
