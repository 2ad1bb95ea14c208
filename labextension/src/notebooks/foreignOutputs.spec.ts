import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { describe, expect, it } from 'vitest';

import type { Context } from '../ui/context';
import { tellOfForeignOutputs } from './foreignOutputs';

/** What is said above an open notebook with one cell; `change` is a change of that cell. */
async function opened(path: string, trusted: boolean, outputs = 1) {
  const said: Widget[] = [];
  const cell = { type: 'code', trusted, outputs: { length: outputs } };
  const modelContentChanged = new Signal<object, void>({});
  const panel = {
    revealed: Promise.resolve(),
    isDisposed: false,
    context: { path },
    content: { model: { cells: [cell] }, modelContentChanged },
    contentHeader: { addWidget: (widget: Widget) => said.push(widget) }
  };
  const notebooks = { widgetAdded: new Signal({}), forEach: (act: (one: unknown) => void) => act(panel) };
  const executed: string[] = [];
  const context = {
    commands: { execute: async (name: string) => executed.push(name) },
    trans: { __: String }
  } as unknown as Context;
  tellOfForeignOutputs(context, notebooks as never);
  await panel.revealed;
  await Promise.resolve();
  const change = (now: boolean) => {
    cell.trusted = now;
    modelContentChanged.emit();
  };
  return { said, change, executed };
}

describe('outputs of a text notebook that were made elsewhere', () => {
  it('are told of until they are trusted', async () => {
    const { said, change, executed } = await opened('a.py', false);
    expect(said.map(({ node }) => node.textContent)).toEqual([expect.stringContaining('do not run')]);
    said[0].node.querySelector('button')?.click();
    expect(executed).toEqual(['notebook:trust']);
    change(false);
    expect(said[0].isDisposed).toBe(false);
    change(true);
    expect(said[0].isDisposed).toBe(true);
  });

  it.each([
    ['are trusted', 'a.py', true, 1],
    ['are none', 'a.py', false, 0],
    ['are in an .ipynb, of which JupyterLab says it itself', 'a.ipynb', false, 1]
  ])('are not told of when they %s', async (_, path, trusted, outputs) => {
    expect((await opened(path, trusted, outputs)).said).toEqual([]);
  });
});
