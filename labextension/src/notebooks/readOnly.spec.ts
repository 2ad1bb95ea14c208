import { Toolbar } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { expect, it } from 'vitest';

import { unmarkWritten } from './readOnly';

it('is said no more of a file that was written', () => {
  const toolbar = new Toolbar();
  const context = { fileChanged: new Signal<object, { writable: boolean }>({}) };
  for (const name of ['save', 'read-only-indicator', 'kernel']) {
    toolbar.addItem(name, new Widget());
  }
  const app = { shell: { widgets: () => [{ context, toolbar }, new Widget()] } };
  unmarkWritten(app as never, context as never);

  context.fileChanged.emit({ writable: false });
  expect([...toolbar.names()]).toEqual(['save', 'read-only-indicator', 'kernel']);
  context.fileChanged.emit({ writable: true });
  expect([...toolbar.names()]).toEqual(['save', 'kernel']);
});
