import { Me } from '../controller/http/people-schemas.js';
import { InvocationPreview } from '../controller/http/schemas.js';
import { MusterError } from '../protocol/errors.js';
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
  const { decision, risk, digest } = shown;
  const isOwnToConfirm = decision.kind === 'approved' || decision.code === 'confirmation_required';
  if (risk === 'read' || !isOwnToConfirm) return ask;
  io.stderr.write(renderPreview(shown));
  const answer = await io.readLine(`It changes something ${whereOf(shown)}. Run it? [y/N] `);
  return /^y(es)?$/i.test(answer.trim()) ? { ...ask, confirm: true, digest } : undefined;
}

/**
 * Where nobody can be asked: an owner's ask that changes something would approve itself, and has to say that it is meant.
 * What is approved beforehand by a grant, or waits, needs no such word.
 * @throws {MusterError} confirmation_required
 */
export async function refuseUnconfirmed(client: Client, ask: Ask): Promise<void> {
  const shown = await preview(client, ask);
  if (shown.risk === 'read' || shown.decision.kind !== 'approved') return;
  const { role } = await client.call(Me, { path: '/me' });
  if (role !== 'owner') return;
  const what = `It changes something ${whereOf(shown)}, and there is no terminal to ask at`;
  throw new MusterError('confirmation_required', `${what}: add --yes`);
}

function whereOf({ counts, target }: InvocationPreview): string {
  if ('integration' in target) return `in ${escapeText(target.integration)}`;
  const away = counts.offline + counts.never_seen;
  return `on ${countNodes(counts.total)}${away === 0 ? '' : `, ${away} of them away`}`;
}
