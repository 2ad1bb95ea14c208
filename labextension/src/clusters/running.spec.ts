import { expect, it } from 'vitest';

import { aKernel } from '../testing/clusters';
import { RunningCell } from './running';

const asked = (id: string, cellId?: string) => ({
  channel: 'shell',
  header: { msg_type: 'execute_request', msg_id: id },
  metadata: { cellId }
});
const status = (state: string, parent: { msg_id: string; cell_id?: string }) => ({
  channel: 'iopub',
  header: { msg_type: 'status' },
  parent_header: parent,
  content: { execution_state: state }
});

function made() {
  const { kernel, tell } = aKernel();
  return { running: new RunningCell(kernel), tell };
}

it('follows the cells that this page runs, one after the other', () => {
  const { running, tell } = made();
  tell('send', asked('m1', 'load'));
  tell('send', asked('m2', 'model'));
  expect(running.cell).toBe('');
  tell('recv', status('busy', { msg_id: 'm1' }));
  expect(running.cell).toBe('load');
  tell('recv', status('idle', { msg_id: 'm1' }));
  tell('recv', status('busy', { msg_id: 'm2' }));
  expect(running.cell).toBe('model');
  tell('recv', status('idle', { msg_id: 'm2' }));
  expect(running.cell).toBe('');
});

it('knows a cell that another page runs when the header names it', () => {
  const { running, tell } = made();
  tell('recv', status('busy', { msg_id: 'theirs', cell_id: 'load' }));
  expect(running.cell).toBe('load');
});

it('minds no message that is of no cell', () => {
  const { running, tell } = made();
  tell('send', asked('silent'));
  tell('recv', status('busy', { msg_id: 'silent' }));
  expect(running.cell).toBe('');
});

it('forgets what ran when the kernel restarts', () => {
  const { running, tell } = made();
  tell('send', asked('m1', 'load'));
  tell('recv', status('busy', { msg_id: 'm1' }));
  tell('recv', status('restarting', { msg_id: '' }));
  expect(running.cell).toBe('');
});
