import type { Selector } from '../../../../protocol/selectors.js';
import { Dialog } from '../parts/dialog.js';

/** Asks for an action of these nodes; of any when there is no target yet. */
export function RunDialog({ target, onClose }: { target: Selector | undefined; onClose: () => void }) {
  return (
    <Dialog title="Run an action" onClose={onClose}>
      <p>{JSON.stringify(target ?? null)}</p>
    </Dialog>
  );
}
