/** What differs between a kernel's packages and its cluster's, and what would be done about it. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import type { PackageComparison } from '../api';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import '../../style/parts.css';
import '../../style/clusters.css';

/** Whether the person wants done what is shown. */
export async function showComparison(
  context: Context,
  cluster: string,
  comparison: PackageComparison
): Promise<boolean> {
  const { trans } = context;
  const close = Dialog.cancelButton({ label: trans.__('Close') });
  const answer = await showDialog({
    title: trans.__('Packages of the kernel and of %1', cluster),
    body: new SlipwayWidget(context, () => <Comparison comparison={comparison} />),
    buttons: comparison.plan.digest
      ? [close, Dialog.warnButton({ label: trans.__('Install and Restart Workers') })]
      : [close],
    defaultButton: 0
  });
  return answer.button.accept;
}

export function Comparison({ comparison }: { comparison: PackageComparison }): JSX.Element {
  const { trans } = useContext();
  const { equal, words, rows } = comparison;
  return (
    <div className="slipway-Comparison">
      <p>{words}</p>
      {!equal && (
        <table className="slipway-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Package')}</th>
              <th scope="col">{trans.__('Kernel')}</th>
              <th scope="col">{trans.__('Cluster')}</th>
              <th scope="col">{trans.__('Where')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <tr key={row.name}>
                <td>{row.name}</td>
                <td>{row.kernel || trans.__('none')}</td>
                <td>{row.workers}</td>
                <td>{row.where}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {!equal && <Plan plan={comparison.plan} />}
    </div>
  );
}

/** Exactly what would be installed, and what not. */
function Plan({ plan }: { plan: PackageComparison['plan'] }): JSX.Element {
  const { trans } = useContext();
  return (
    <section aria-label={trans.__('Synchronise')}>
      {plan.install.length > 0 && (
        <p>
          {trans.__('The workers can have:')} <code>{plan.install.join('  ')}</code>
        </p>
      )}
      {plan.refused.length > 0 && (
        <ul>
          {plan.refused.map(({ name, why }) => (
            <li key={name}>
              <code>{name}</code> {trans.__('stays: %1.', why)}
            </li>
          ))}
        </ul>
      )}
      <p>{plan.words}</p>
    </section>
  );
}
