/** The format of new text notebooks, as it is set. */
import type { Setting } from '@jupyterlab/services';

import { PLUGIN_ID } from '../tokens';

const FORMATS = ['percent', 'myst', 'markdown'] as const;
export type TextFormat = (typeof FORMATS)[number];

export async function formatOfTexts(settings: Setting.IManager): Promise<TextFormat> {
  const chosen = await settings.fetch(PLUGIN_ID);
  const { textNotebooks } = JSON.parse(chosen?.raw.replace(/^\s*\/\/.*$/gm, '') || '{}') as {
    textNotebooks?: string;
  };
  return FORMATS.find(one => one === textNotebooks) ?? 'percent';
}
