/**
 * nbdime draws no difference that begins behind the last line of one side, as when a paragraph is added after a blank
 * line: it looks for a line there. Such a difference is made to begin with the line before, to whose end it was added.
 */
import type { Chunk } from 'nbdime/lib/chunking';
import { StringDiffModel } from 'nbdime/lib/diff/model';
import { DecisionStringDiffModel } from 'nbdime/lib/merge/model/common';

/** To be called once, before nbdime draws. */
export function keepWithinLines(): void {
  for (const { prototype } of [StringDiffModel, DecisionStringDiffModel]) {
    const getLineChunks = prototype.getLineChunks;
    prototype.getLineChunks = function (this: StringDiffModel): Chunk[] {
      const chunks = getLineChunks.call(this);
      const [last, before] = [chunks.at(-1), chunks.at(-2)];
      if (!last || (last.baseFrom < lines(this.base) && last.remoteFrom < lines(this.remote))) {
        return chunks;
      }
      last.baseFrom = Math.max(0, last.baseFrom - 1);
      last.remoteFrom = Math.max(0, last.remoteFrom - 1);
      if (before && before.baseTo > last.baseFrom) {
        before.baseTo = last.baseTo;
        before.remoteTo = last.remoteTo;
        before.sources.push(...last.sources.filter(source => !before.sources.includes(source)));
        chunks.pop();
      }
      return chunks;
    };
  }
}

function lines(text: string | null): number {
  return text === null ? Infinity : text.split('\n').length;
}
