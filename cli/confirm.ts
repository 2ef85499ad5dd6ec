import { InvocationPreview } from '../controller/http/schemas.js';
import { escapeText } from '../runtime/terminal-text.js';
import type { Client } from './client.js';
import type { Io } from './io.js';
import { countNodes, renderPreview } from './render/preview.js';

type Ask = Readonly<Record<string, unknown>>;

/** What the ask would come to now. */
export function preview(client: Client, ask: Ask): Promise<InvocationPreview> {
  return client.call(InvocationPreview, { method: 'POST', path: '/invocations/preview', body: ask });
}

/**
 * Shows a person what an ask that changes something comes to, and asks. Gives the ask bound to what was shown, the ask
 * as it is when there is nothing to confirm, undefined when the person does not want it.
 */
export async function confirmAsk(client: Client, ask: Ask, io: Io): Promise<Ask | undefined> {
  const shown = await preview(client, ask);
  const { decision, risk, counts, digest, target } = shown;
  const isOwnToConfirm = decision.kind === 'approved' || decision.code === 'confirmation_required';
  if (risk === 'read' || !isOwnToConfirm) return ask;
  io.stderr.write(renderPreview(shown));
  const away = counts.offline + counts.never_seen;
  const nodes = `on ${countNodes(counts.total)}${away === 0 ? '' : `, ${away} of them away`}`;
  const where = 'integration' in target ? `in ${escapeText(target.integration)}` : nodes;
  const answer = await io.readLine(`It changes something ${where}. Run it? [y/N] `);
  return /^y(es)?$/i.test(answer.trim()) ? { ...ask, confirm: true, digest } : undefined;
}
