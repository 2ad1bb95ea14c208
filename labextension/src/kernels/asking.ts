/** Asks before a kernel that others use is interrupted, restarted or ended, and says why it may not be. */
import { Dialog, type ISessionContext, type ISessionContextDialogs, showDialog } from '@jupyterlab/apputils';
import type { Kernel, Session } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { SharedKernel } from '../api';
import type { LiveKernel } from './model';
import { may, othersWords, type Role } from './words';

type Find = (kernel: Kernel.IKernelConnection) => Promise<LiveKernel | null>;
type Deed = 'interrupt' | 'restart' | 'shutdown';

const LEAST: Record<Deed, Role> = { interrupt: 'operator', restart: 'operator', shutdown: 'owner' };

/** All restarts of JupyterLab, by toolbar, menu or key, go through its dialogs. */
export function askBeforeRestart(
  dialogs: ISessionContextDialogs,
  find: Find,
  trans: TranslationBundle
): void {
  const stock = dialogs.restart.bind(dialogs);
  dialogs.restart = async (session: ISessionContext, options?: ISessionContext.IRestartOptions) => {
    const kernel = session.session?.kernel;
    const live = kernel ? await find(kernel) : null;
    if (!live?.kernel) {
      return stock(session, options);
    }
    const asked = await agreed(live, 'restart', trans);
    if (asked === 'nobody') {
      return stock(session, options);
    }
    if (asked === 'yes') {
      await session.restartKernel();
      return true;
    }
    return false;
  };
}

/** The kernel of an open notebook: whatever interrupts or ends it asks first. */
export function guard(
  kernel: Kernel.IKernelConnection,
  session: Session.ISessionConnection,
  find: Find,
  trans: TranslationBundle
): void {
  const interrupt = kernel.interrupt.bind(kernel);
  kernel.interrupt = async () => {
    const live = await find(kernel);
    if (!live?.kernel || (await agreed(live, 'interrupt', trans)) !== 'no') {
      await interrupt();
    }
  };
  const end = session.shutdown.bind(session);
  session.shutdown = async () => {
    const live = session.kernel ? await find(session.kernel) : null;
    if (!live?.kernel || (await agreed(live, 'shutdown', trans)) !== 'no') {
      await end();
    }
  };
}

/** 'nobody': there is nobody to ask for. */
async function agreed(
  live: LiveKernel,
  deed: Deed,
  trans: TranslationBundle
): Promise<'nobody' | 'yes' | 'no'> {
  await live.ask();
  const kernel = live.kernel;
  if (!kernel) {
    return 'nobody';
  }
  const running = kernel.queue.find(one => one.position === 0);
  const own = running?.person === live.me;
  if (!may(kernel.role, deed === 'interrupt' && own ? 'runner' : LEAST[deed])) {
    await showDialog({
      title: title(deed, trans),
      body: refusal(kernel, deed, trans),
      buttons: [Dialog.okButton()]
    });
    return 'no';
  }
  const said = othersWords(kernel, live.me, trans);
  if (!said || (deed === 'interrupt' && (own || !running))) {
    return 'nobody';
  }
  const { button } = await showDialog({
    title: title(deed, trans),
    body: `${said} ${consequence(deed, trans)}`,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: label(deed, trans) })],
    defaultButton: 0
  });
  return button.accept ? 'yes' : 'no';
}

function title(deed: Deed, trans: TranslationBundle): string {
  switch (deed) {
    case 'interrupt':
      return trans.__('Interrupt a shared kernel?');
    case 'restart':
      return trans.__('Restart a shared kernel?');
    case 'shutdown':
      return trans.__('Shut down a shared kernel?');
  }
}

function label(deed: Deed, trans: TranslationBundle): string {
  switch (deed) {
    case 'interrupt':
      return trans.__('Interrupt Anyway');
    case 'restart':
      return trans.__('Restart for All');
    case 'shutdown':
      return trans.__('Shut Down for All');
  }
}

function consequence(deed: Deed, trans: TranslationBundle): string {
  switch (deed) {
    case 'interrupt':
      return trans.__('Their cell would be stopped.');
    case 'restart':
      return trans.__('Everybody’s variables would be lost.');
    case 'shutdown':
      return trans.__('Everybody’s variables would be lost, and nobody could go on.');
  }
}

export function refusal(kernel: SharedKernel, deed: Deed, trans: TranslationBundle): string {
  return trans.__(
    'You are a %1 of this kernel: to %2 takes %3. %4 can grant it.',
    kernel.role ?? 'guest',
    deed,
    LEAST[deed],
    kernel.owner
  );
}
