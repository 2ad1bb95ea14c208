/** Names for what nbdime draws without any: a screen reader says which side an editor shows. */
import type { TranslationBundle } from '@jupyterlab/translation';

export function named(node: HTMLElement, trans: TranslationBundle): void {
  const sides: [string, string][] = [
    ['.cm-diff-left-editor, .cm-merge-pane-deleted', trans.__('Before')],
    ['.cm-diff-right-editor, .cm-merge-pane-added', trans.__('After')],
    ['.cm-merge-left-editor', trans.__('Mine')],
    ['.cm-central-editor', trans.__('Before')],
    ['.cm-merge-right-editor', trans.__('Theirs')],
    ['.cm-merge-editor', trans.__('Result')]
  ];
  for (const editor of node.querySelectorAll('.cm-content')) {
    const side = sides.find(([selector]) => editor.closest(selector));
    editor.setAttribute('aria-label', side?.[1] ?? trans.__('Source'));
  }
  for (const button of node.querySelectorAll('.jp-CollapsiblePanel-header-icon')) {
    button.setAttribute('aria-label', button.parentElement?.textContent ?? trans.__('Show'));
  }
}
