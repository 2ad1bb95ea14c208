import { expect, it } from 'vitest';

import { aKernel } from '../testing/clusters';
import { KernelRefusal, packagesOf } from './kernel';

it('asks for the packages without code of its own, and leaves no trace in the history', async () => {
  const { kernel, asked } = aKernel();
  expect(await packagesOf(kernel)).toEqual({ python: '3.12.1' });
  expect(asked[0]).toMatchObject({ code: '', silent: true, store_history: false, allow_stdin: false });
});

it('says why the kernel does not tell', async () => {
  const { kernel, answers } = aKernel();
  const refused = { status: 'error', ename: 'ImportError', evalue: 'no importlib' };
  answers.push({ content: { status: 'ok', user_expressions: { packages: refused } } });
  await expect(packagesOf(kernel)).rejects.toEqual(new KernelRefusal('no importlib'));
});
