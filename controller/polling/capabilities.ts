import { sha256Hex } from '../../protocol/envelope.js';
import type { Capabilities } from '../../protocol/messages/capabilities.js';
import { adopt, shownOf } from '../ingest/capabilities.js';
import type { NodeCaller, PollingService } from './contract.js';

/** Takes what a node says that it offers, from now on instead of what it offered before (P-93). */
export async function takeAnnouncement(
  deps: Parameters<typeof adopt>[0] & Parameters<typeof shownOf>[0],
  { node, org }: NodeCaller,
  announced: Parameters<PollingService['announce']>[1],
): Promise<void> {
  const value: Capabilities = { v: 1, node, org, ...announced, containers: [], terminals: [], limits: {} };
  const payload = JSON.stringify(value);
  const sha256 = sha256Hex(payload);
  const record = deps.registry.get(node);
  if (record === undefined || record.capabilitiesSha256 === sha256) return;
  await adopt(deps, record, { sha256, ...shownOf(deps, Buffer.from(payload), value) });
}
