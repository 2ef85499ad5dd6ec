import type { Rig } from './rig.js';
import { settles } from './settles.js';

/** Promise 11: so soon after a broker has returned work flows again. */
export const FLOW_MS = 30_000;

/** Whether something that is asked for now succeeds in time; `meanwhile` is called again and again until then. */
export async function flows(
  { load }: Rig,
  label: string,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<boolean> {
  const id = await load.submit({ label });
  const hasSucceeded = async (): Promise<boolean> => {
    await meanwhile();
    return (await load.look(id))?.status === 'success';
  };
  return settles(hasSucceeded, FLOW_MS);
}
