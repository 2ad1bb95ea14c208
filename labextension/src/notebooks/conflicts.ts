/** A bar above each conflicted cell: mine, theirs, both. Taking one is an edit like any other: it can be undone. */
import type { Cell } from '@jupyterlab/cells';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

import type { Context } from '../ui/context';
import { type Sides, sides } from './sides';

import '../../style/compare.css';

export class ConflictBars {
  constructor(
    private readonly context: Context,
    private readonly panel: NotebookPanel
  ) {
    panel.content.modelContentChanged.connect(this.draw, this);
    this.draw();
  }

  private draw(): void {
    for (const cell of this.panel.content.widgets) {
      const found = sides(cell.model.sharedModel.source);
      const bar = cell.node.querySelector(':scope > .slipway-Conflict');
      if (!found) {
        bar?.remove();
      } else if (!bar) {
        cell.node.prepend(this.bar(cell, found));
      }
    }
  }

  private bar(cell: Cell, found: Sides): HTMLElement {
    const { trans } = this.context;
    const bar = document.createElement('div');
    bar.className = 'slipway-Conflict';
    bar.setAttribute('role', 'group');
    bar.setAttribute('aria-label', trans.__('Conflict in this cell'));
    const words = document.createElement('span');
    words.textContent = trans.__('Both sides changed this cell. Keep');
    bar.append(words);
    const choices: [string, 'mine' | 'theirs' | 'both'][] = [
      [trans.__('mine (%1)', found.mineLabel || 'mine'), 'mine'],
      [trans.__('theirs (%1)', found.theirsLabel || 'theirs'), 'theirs'],
      [trans.__('both'), 'both']
    ];
    for (const [label, side] of choices) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'slipway-Button';
      button.textContent = label;
      button.addEventListener('click', () => this.take(cell, side));
      bar.append(button);
    }
    return bar;
  }

  private take(cell: Cell, side: 'mine' | 'theirs' | 'both'): void {
    const taken = sides(cell.model.sharedModel.source)?.[side];
    if (taken === undefined) {
      return;
    }
    if (taken) {
      cell.model.sharedModel.setSource(taken);
      return;
    }
    // That side had removed the cell.
    const { content } = this.panel;
    content.deselectAll();
    content.activeCellIndex = content.widgets.indexOf(cell);
    NotebookActions.deleteCells(content);
  }
}
