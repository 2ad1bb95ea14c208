import type { ISharedCodeCell } from '@jupyter/ydoc';
import { YFile, YNotebook } from '@jupyter/ydoc';
import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { describe, expect, it, vi } from 'vitest';

import type { Context } from '../ui/context';
import { noteAsOpened } from './asOpened';
import { FollowedText } from './followedText';
import { FollowedPage } from './following';

const ON_DISK = { output_type: 'stream', name: 'stdout', text: 'from disk\n' };
const OURS = { output_type: 'stream', name: 'stdout', text: 'just run\n' };

/** A page with one cell, whose file on disk has other outputs than it shows. */
function page(whileTheServerAnswers: (model: ReturnType<typeof made>['model']) => void, hash = 'new') {
  const { model, panel, contents, kept } = made(hash);
  const asked: boolean[] = [];
  const follow = async ({ clean }: { clean: boolean }) => {
    asked.push(clean);
    if (asked.length === 1) {
      whileTheServerAnswers(model);
    }
    const cell = { cell_type: 'code', source: 'a', metadata: {}, outputs: [ON_DISK], execution_count: 3 };
    const cells = [{ mine: 0, edits: [], cell: clean ? cell : null, mark: null }];
    return { cells, base: [], said: {}, hash: 'new', conflicts: 0 };
  };
  const context = { api: { compare: { follow } }, trans: { __: String } } as unknown as Context;
  return { page: new FollowedPage(context, panel.context as never, contents as never), model, asked, kept };
}

function made(hash: string) {
  const sharedModel = YNotebook.create();
  sharedModel.insertCell(0, { cell_type: 'code', source: 'a', metadata: {}, outputs: [] });
  const model = { sharedModel, dirty: false, setMetadata: () => undefined };
  const panel = {
    context: {
      isDisposed: false,
      ready: Promise.resolve(),
      model,
      path: 'a.ipynb',
      contentsModel: { hash: 'old', writable: true },
      saveState: { connect: () => undefined },
      pathChanged: new Signal<object, string>({})
    }
  };
  const kept = { hash, outputs: 'own', writable: true };
  const contents = {
    localPath: (path: string) => path,
    get: async (_?: string, __?: object): Promise<object> => kept
  };
  return { model, panel, contents, kept };
}

const outputs = (of: YNotebook) => (of.cells[0] as ISharedCodeCell).getOutputs();

describe('a page that follows its file', () => {
  it('knows of what was typed before it followed that it is not on disk', async () => {
    const { model, panel, contents } = made('new');
    noteAsOpened(panel.context as never);
    await panel.context.ready;
    model.sharedModel.cells[0].setSource('a typed');
    const bases: string[] = [];
    const follow = async ({ base, mine }: Record<'base' | 'mine', { source: string }[]>) => {
      bases.push(base[0].source, mine[0].source);
      return { cells: [], base, said: {}, hash: 'new', conflicts: 0 };
    };
    const context = { api: { compare: { follow } }, trans: { __: String } } as unknown as Context;

    await new FollowedPage(context, panel.context as never, contents as never).look();

    expect(bases).toEqual(['a', 'a typed']);
  });

  it('shows the outputs on disk when it has none of its own', async () => {
    const { page: followed, model, asked } = page(() => undefined);

    await followed.look();

    expect([asked, outputs(model.sharedModel)]).toEqual([[true], [ON_DISK]]);
  });

  it('keeps the outputs of a cell that ran while the server answered', async () => {
    const {
      page: followed,
      model,
      asked
    } = page(open => {
      (open.sharedModel.cells[0] as ISharedCodeCell).setOutputs([OURS] as never);
      open.dirty = true;
    });

    await followed.look();

    expect([asked, outputs(model.sharedModel)]).toEqual([[true, false], [OURS]]);
  });

  it('shows outputs that another server keeps for the same text', async () => {
    const { page: followed, model, asked, kept } = page(() => undefined, 'old');

    await followed.look();
    expect(asked).toEqual([]);
    kept.outputs = 'others';
    await followed.look();
    await followed.look();

    expect([asked, outputs(model.sharedModel)]).toEqual([[true], [ON_DISK]]);
  });

  it('can be saved once its folder may be written', async () => {
    const { panel, contents } = made('old');
    const told: unknown[] = [];
    const file = { ...panel.context, _updateContentsModel: (model: object) => told.push(model) };
    file.contentsModel = { hash: 'old', writable: false };
    const followed = new FollowedPage({} as Context, file as never, contents as never);
    contents.get = async () => ({ hash: 'old', writable: false });
    await followed.look();
    expect(told).toEqual([]);

    const now = { hash: 'old', writable: true };
    contents.get = async () => now;
    await followed.look();

    expect(told).toEqual([now]);
  });

  it('takes nothing from a cell that runs and has said nothing yet', async () => {
    const {
      page: followed,
      model,
      asked
    } = page(({ sharedModel }) => {
      (sharedModel.cells[0] as ISharedCodeCell).executionState = 'running';
    });

    await followed.look();

    expect([asked, outputs(model.sharedModel)]).toEqual([[true, false], []]);
  });

  it.each(['the disk', 'its session'])(
    'goes on in what somebody converted the file to, told by %s',
    async by => {
      const { panel, contents, model, kept } = made('new');
      const { file, context, asked } = converted(panel.context);
      contents.get = onlyThe('a.ipynb', { ...kept, content: { metadata: { language_info: { name: 'r' } } } });
      model.dirty = true;
      Notification.dismiss();
      const followed = new FollowedPage(context, file as never, contents as never);

      if (by === 'the disk') {
        await followed.look();
      } else {
        file._updatePath('a.ipynb');
      }

      await vi.waitFor(() => expect(Notification.manager.notifications).toHaveLength(1));
      expect([file.path, asked]).toEqual(['a.ipynb', ['a.ipynb']]);
      expect(model.sharedModel.cells.map(cell => cell.source)).toEqual(['a and theirs']);
      expect([model.sharedModel.metadata, model.dirty]).toEqual([{ language_info: { name: 'r' } }, true]);
      expect(file.contentsModel.hash).toBe('new');
    }
  );

  it('does not take a server that cannot be reached for a file that is gone', async () => {
    const { panel, contents, kept } = made('new');
    const { file, context, successors } = converted(panel.context);
    const followed = new FollowedPage(context, file as never, contents as never);

    contents.get = () => Promise.reject(new TypeError('Failed to fetch'));
    await followed.look();
    expect([successors, file.path]).toEqual([[], 'a.py']);

    contents.get = onlyThe('a.ipynb', { ...kept, content: { metadata: {} } });
    await followed.look();
    expect([successors, file.path]).toEqual([['a.py'], 'a.ipynb']);
  });

  it('says of a text that it was converted, and keeps it', async () => {
    Notification.dismiss();
    const { panel, contents, kept } = made('new');
    const text = YFile.create();
    text.setSource('typed');
    const { file, context, opened } = converted(panel.context);
    Object.assign(file.model, { sharedModel: text, toString: () => text.getSource() });
    contents.get = onlyThe('a.ipynb', kept);
    const followed = new FollowedText(context, file as never, contents as never);

    await followed.look();
    await followed.look();

    const [notice, ...more] = Notification.manager.notifications;
    expect([notice.message, more, file.path, text.getSource()]).toEqual([
      'a.py was converted to a.ipynb. What is typed here is not in it: saving writes the old file again.',
      [],
      'a.py',
      'typed'
    ]);
    notice.options.actions?.[0].callback(new MouseEvent('click'));
    expect(opened).toEqual(['a.ipynb']);
  });
});

/** A file that is gone, and what it was converted to. */
function converted(context: ReturnType<typeof made>['panel']['context']) {
  const [asked, opened, successors]: [string[], string[], string[]] = [[], [], []];
  const file = {
    ...context,
    path: 'a.py',
    _updatePath: (path: string) => {
      file.path = path;
      file.pathChanged.emit(path);
    },
    _updateContentsModel: (now: object) => void Object.assign(file.contentsModel, now)
  };
  const follow = async ({ notebook }: { notebook: string }) => {
    asked.push(notebook);
    const edits = [{ start: 1, end: 1, text: ' and theirs' }];
    const cells = [{ mine: 0, edits, cell: null, mark: null, was: 'a', now: 'b' }];
    return { cells, base: [], said: {}, hash: 'new', conflicts: 0 };
  };
  const successor = async (path: string) => {
    successors.push(path);
    return { path: path === 'a.py' ? 'a.ipynb' : '' };
  };
  const trans = {
    __: (said: string, ...words: string[]) => said.replace(/%(\d)/g, (_, at) => words[at - 1])
  };
  const commands = { execute: async (_: string, { path }: { path: string }) => void opened.push(path) };
  return {
    file,
    asked,
    opened,
    successors,
    context: { api: { compare: { follow, successor } }, trans, commands } as never
  };
}

function onlyThe(path: string, model: object) {
  return async (asked?: string, options?: { content?: boolean }): Promise<object> => {
    if (asked !== path) {
      throw Object.assign(new Error('Not found'), { response: { status: 404 } });
    }
    return { ...model, ...(options?.content ? {} : { content: null }) };
  };
}
