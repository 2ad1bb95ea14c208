/** A poll that misses nothing that it was told of. */
import { type IPoll, Poll } from '@lumino/polling';

/**
 * Asks at its interval, at once when `refresh` is called, and at once when the page comes to the front again.
 *
 * Lumino's poll forgets a refresh that is wanted while another one waits for its answer, though that answer may be
 * older than the wish: here it is asked again after it.
 */
export class FreshPoll extends Poll {
  constructor(name: string, look: () => Promise<void>, frequency: Partial<IPoll.Frequency>) {
    super({
      auto: false,
      name,
      frequency: { backoff: true, ...frequency },
      standby: 'when-hidden',
      factory: () => {
        this.asked = true;
        return look();
      }
    });
    this.ticked.connect((_, { phase }) => {
      if (this.wanted && phase !== 'refreshed') {
        this.wanted = false;
        setTimeout(() => void this.refresh());
      }
    });
    document.addEventListener('visibilitychange', this.onVisible);
  }

  refresh(): Promise<void> {
    if (this.state.phase === 'refreshed') {
      this.wanted = this.asked;
      return Promise.resolve();
    }
    this.asked = false;
    return super.refresh();
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this.onVisible);
    super.dispose();
  }

  private readonly onVisible = () => {
    if (!document.hidden && this.state.phase !== 'constructed' && this.state.phase !== 'stopped') {
      void this.refresh();
    }
  };
  /** The refresh that was wanted last is on its way: what changes now may be missing in its answer. */
  private asked = false;
  /** To ask again after it. */
  private wanted = false;
}

/** From now on every so many seconds. */
export function askEvery(poll: Poll, seconds: number): void {
  const interval = seconds * 1_000;
  if (poll.frequency.interval !== interval) {
    poll.frequency = { ...poll.frequency, interval };
  }
}
