import { YNotebook } from '@jupyter/ydoc';
import type { INotebookMetadata } from '@jupyterlab/nbformat';
import { describe, expect, it } from 'vitest';

import { takeNoKernelForAnEdit } from './toldByKernel';

const PYTHON = { name: 'python3', display_name: 'Python 3' };

function opened({
  path = 'a.py',
  collaborative = false,
  metadata = { kernelspec: PYTHON } as INotebookMetadata
} = {}): YNotebook {
  const sharedModel = YNotebook.create();
  const cells = [
    { cell_type: 'code' as const, source: 'a', metadata: {}, outputs: [], execution_count: null }
  ];
  sharedModel.fromJSON({ cells, metadata, nbformat: 4, nbformat_minor: 5 });
  takeNoKernelForAnEdit({ path, model: { sharedModel, collaborative } } as never);
  sharedModel.dirty = false;
  return sharedModel;
}

describe('a notebook whose kernel tells of itself', () => {
  it.each([
    ['what it speaks', 'language_info', { name: 'python', version: '3.13.1' }],
    [
      'how it is called',
      'kernelspec',
      { ...PYTHON, display_name: 'Python 3 (ipykernel)', language: 'python' }
    ]
  ])('is not edited by %s', (_, key, told) => {
    const notebook = opened();

    notebook.setMetadata(key, told);

    expect([notebook.dirty, notebook.getMetadata(key)]).toEqual([false, told]);
  });

  it.each([
    ['another kernel is chosen', (one: YNotebook) => one.setMetadata('kernelspec', { ...PYTHON, name: 'r' })],
    ['something else is said of it', (one: YNotebook) => one.setMetadata('title', 'Delays')],
    [
      'more is said with it',
      (one: YNotebook) => one.updateMetadata({ language_info: { name: 'r' }, title: 'Delays' })
    ]
  ])('is edited when %s', (_, edit) => {
    const notebook = opened();

    edit(notebook);

    expect(notebook.dirty).toBe(true);
  });

  it.each([
    ['just before', (one: YNotebook, tell: () => void) => (one.cells[0].updateSource(1, 1, 'b'), tell())],
    ['just after', (one: YNotebook, tell: () => void) => (tell(), one.cells[0].updateSource(1, 1, 'b'))],
    [
      'in one change with it',
      (one: YNotebook, tell: () => void) => one.transact(() => (one.cells[0].updateSource(1, 1, 'b'), tell()))
    ],
    [
      'in one change with it, a cell',
      (one: YNotebook, tell: () => void) => one.transact(() => (one.deleteCell(0), tell()))
    ],
    [
      'as it hears of it',
      (one: YNotebook, tell: () => void) => {
        one.changed.connect((_, { metadataChange }) => {
          if (metadataChange) {
            one.cells[0].updateSource(1, 1, 'b');
          }
        });
        tell();
      }
    ]
  ])('is edited by what is typed %s', (_, type) => {
    const notebook = opened();

    type(notebook, () => notebook.setMetadata('language_info', { name: 'python' }));

    expect(notebook.dirty).toBe(true);
  });

  it.each([
    ['a text that named none', 'a.py', {}, false],
    ['a text that named another', 'a.py', { kernelspec: { ...PYTHON, name: 'r' } }, true],
    ['an .ipynb', 'a.ipynb', {}, true]
  ])('is edited by the choice of a kernel only where that is kept: %s', (_, path, metadata, edited) => {
    const notebook = opened({ path, metadata });

    notebook.setMetadata('kernelspec', PYTHON);

    expect(notebook.dirty).toBe(edited);
  });

  it('stays as it is where the server says what is saved', () => {
    const notebook = opened({ collaborative: true });

    notebook.setMetadata('language_info', { name: 'python' });

    expect(notebook.dirty).toBe(true);
  });
});
