/**
 * An open document learns what changed on disk and goes on with both: nobody is asked whether to overwrite or to revert.
 *
 * For pages without jupyter-collaboration; with it, the server does this for all pages of a file at once.
 */
import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

import { asApiError } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';
import { notice } from '../ui/notices';
import { asOpened } from './asOpened';

/** Milliseconds between two looks at the files of documents that are seen. */
const EVERY = 2_000;
/** Times that somebody may go on typing while the server merges, before that is left to the next look. */
const TRIES = 20;
/** What is at a path where nothing is. */
const GONE = 'gone';

/** What is looked at of why a request failed. */
interface Refused {
  readonly response?: { readonly status: number };
}

/** What of a document's context has no public name: without it, JupyterLab asks as it always did. */
interface Inner {
  _updatePath?: (path: string) => void;
  _updateContentsModel?: (model: Contents.IModel) => void;
  _maybeSave?: (options: Partial<Contents.IModel>) => Promise<Contents.IModel>;
}

export interface Merged {
  readonly conflicts: number;
  readonly hash: string;
}

/** `State`: what of a document is compared; `Answer`: what it becomes. */
export abstract class FollowedFile<State, Answer extends Merged> {
  constructor(
    protected readonly context: Context,
    protected readonly file: DocumentRegistry.Context,
    protected readonly contents: Contents.IManager
  ) {
    this.base = (asOpened(file) as State | undefined) ?? this.state();
    file.saveState.connect((_, state) => {
      if (state === 'completed') {
        // What changed between its look and its write.
        void this.take(false);
      }
    });
    const inner = file as unknown as Inner;
    const save = inner._maybeSave?.bind(file);
    if (save) {
      let before: Promise<unknown> = Promise.resolve();
      inner._maybeSave = options => {
        // One after the other: each has to know what the one before it has put on disk.
        const saved = before.then(async () => {
          await this.look();
          const sent = this.state();
          const model = await save({ ...options, content: this.content() });
          this.base = sent;
          this.outputs = outputsOf(model);
          this.saved();
          return model;
        });
        before = saved.catch(() => undefined);
        return saved;
      };
    }
  }

  /** Looks from now on, as long as it is open. */
  watch(): void {
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        void this.look();
      }
    }, EVERY);
    this.file.disposed.connect(() => window.clearInterval(timer));
  }

  /** Takes in what is on disk, if that is something else than this page knows. */
  async look(): Promise<void> {
    if (this.file.isDisposed) {
      return;
    }
    const now = await this.onDisk();
    if (now === GONE) {
      this.finding ??= this.findSuccessor().finally(() => (this.finding = null));
      await this.finding;
    }
    if (!now || now === GONE) {
      return;
    }
    this.isGone = false;
    const known = this.file.contentsModel?.hash;
    if (now.hash && known && now.hash !== known && now.hash !== this.refused) {
      await this.take(true);
      return;
    }
    if (now.hash === known && now.writable !== this.file.contentsModel?.writable) {
      // What could only be read when it was opened can be saved by now, or the other way round.
      (this.file as unknown as Inner)._updateContentsModel?.(now);
    }
    if (this.untouched) {
      const outputs = outputsOf(now);
      // At the first look they are what was opened.
      if (this.outputs === null || outputs === this.outputs || (await this.take(true))) {
        this.outputs = outputs;
      }
    }
  }

  /** What the document holds. */
  protected abstract state(): State;
  /** The document as it is saved. */
  protected abstract content(): Contents.IModel['content'];
  protected abstract same(a: State, b: State): boolean;
  /** `clean`: nothing but the text was changed here since the file was read or saved. */
  protected abstract ask(path: string, base: State, mine: State, clean: boolean): Promise<Answer>;
  /** Makes the document what it becomes; returns what is on disk. */
  protected abstract use(answer: Answer): State;
  /** It was converted: goes on in the file that it became, or says that it cannot. */
  protected abstract succeed(path: string): Promise<void>;
  protected abstract readonly kind: Contents.ContentType;
  protected abstract readonly conflict: string;

  /** What is on disk is what was sent. */
  protected saved(): void {}

  /** Whether nothing that is followed besides the text was changed here since the file was read or saved. */
  protected get untouched(): boolean {
    return !this.file.model.dirty;
  }

  /** The file is gone: whoever converted it may have had it open, or not. */
  private async findSuccessor(): Promise<void> {
    const { file, contents } = this;
    if (this.isGone) {
      return;
    }
    const path = contents.localPath(file.path);
    const since = Date.parse(file.contentsModel?.last_modified ?? '') / 1000 || 0;
    const found = await comparing(this.context.api)
      .successor(path, since)
      .catch(() => null);
    if (found && !file.isDisposed) {
      this.isGone = true;
      if (found.path) {
        await this.succeed(file.path.slice(0, file.path.length - path.length) + found.path);
      }
    }
  }

  /** Its file is another from here on, which holds the same; false where JupyterLab has no way to say so. */
  protected goOn(path: string): boolean {
    (this.file as unknown as Inner)._updatePath?.(path);
    return this.file.path === path;
  }

  /** Takes over what is on disk, with its outputs. */
  protected async takeAnew(): Promise<void> {
    this.outputs = null;
    await this.take(true);
  }

  protected sayConverted(path: string): void {
    const { commands, trans } = this.context;
    const [was, is] = [PathExt.basename(this.file.path), PathExt.basename(path)];
    Notification.warning(
      trans.__(
        '%1 was converted to %2. What is typed here is not in it: saving writes the old file again.',
        was,
        is
      ),
      {
        autoClose: false,
        actions: [
          {
            label: trans.__('Open %1', is),
            callback: () => void commands.execute('docmanager:open', { path })
          }
        ]
      }
    );
  }

  /** `anew`: also the outputs on disk, if this page has none of its own. Returns whether it has those on disk now. */
  private async take(anew: boolean): Promise<boolean> {
    const { file, context } = this;
    const path = this.contents.localPath(file.path);
    for (let tries = 0; tries < TRIES && !file.isDisposed; tries++) {
      const [base, mine, clean] = [this.base, this.state(), anew && this.untouched];
      let answer: Answer;
      try {
        answer = await this.ask(path, base, mine, clean);
      } catch (error) {
        const refusal = asApiError(error);
        const now = await this.onDisk();
        if (now !== GONE && now?.hash && now.hash !== this.refused && refusal.status < 500) {
          this.refused = now.hash;
          notice('warning', context.trans.__('%1 What is open here is kept.', refusal.text), context.trans);
        }
        return false;
      }
      if (file.isDisposed || base !== this.base) {
        return false;
      }
      // Outputs that came meanwhile are this page's own.
      if (this.same(mine, this.state()) && (!clean || this.untouched)) {
        const { dirty } = file.model;
        this.base = this.use(answer);
        file.model.dirty = dirty;
        this.refused = '';
        if (answer.conflicts) {
          const said = context.trans.__('%1 changed on disk in the same place.', PathExt.basename(file.path));
          Notification.warning(`${said} ${this.conflict}`, { autoClose: 8_000 });
        }
        await this.settle(answer.hash);
        return clean;
      }
    }
    return false;
  }

  /** From here on this page has seen the file as it is on disk, if it is still what was taken over. */
  private async settle(hash: string): Promise<void> {
    const now = await this.onDisk();
    if (now !== GONE && now?.hash === hash && !this.file.isDisposed) {
      (this.file as unknown as Inner)._updateContentsModel?.(now);
    }
  }

  /** Null when it cannot be known now: saving says why. */
  private onDisk(): Promise<Contents.IModel | typeof GONE | null> {
    return this.contents
      .get(this.file.path, { content: false, hash: true, type: this.kind })
      .catch((error: unknown) => ((error as Refused).response?.status === 404 ? GONE : null));
  }

  /** What was on disk when the page and the disk last agreed. */
  private base: State;
  /** Which outputs lie beside the text, as this page has seen them; null: not asked yet. */
  private outputs: string | null = null;
  /** Whether it is known that there is no such file, and what became of it was asked. */
  private isGone = false;
  private finding: Promise<void> | null = null;
  /** The hash of what could not be taken over: said once. */
  private refused = '';
}

/** Another word, when other outputs lie beside the same text; '' where the file holds its outputs itself. */
function outputsOf(model: Contents.IModel): string {
  return (model as { outputs?: string }).outputs ?? '';
}
