/** A notice as long as something takes longer than a moment. */
import { Notification } from '@jupyterlab/apputils';

/** Milliseconds that nobody wonders what is going on. */
const MOMENT = 1_000;

export async function underWay<T>(said: string, work: () => Promise<T>): Promise<T> {
  let shown = '';
  const later = window.setTimeout(() => {
    shown = Notification.emit(said, 'in-progress', { autoClose: false });
  }, MOMENT);
  try {
    return await work();
  } finally {
    window.clearTimeout(later);
    if (shown) {
      Notification.dismiss(shown);
    }
  }
}
