/** What differs between a kernel's packages and its cluster's. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import type { PackageComparison } from '../api';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import '../../style/parts.css';
import '../../style/clusters.css';

export async function showComparison(
  context: Context,
  cluster: string,
  comparison: PackageComparison
): Promise<void> {
  const { trans } = context;
  await showDialog({
    title: trans.__('Packages of the kernel and of %1', cluster),
    body: new SlipwayWidget(context, () => <Comparison comparison={comparison} />),
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
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
    </div>
  );
}
