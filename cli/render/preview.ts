import type { InvocationPreview } from '../../controller/http/schemas.js';
import { describeTarget } from '../../controller/http/target-schemas.js';
import { escapeText } from '../../runtime/terminal-text.js';

/** How many node names stand in a line. */
const SHOWN_NODES = 8;

/** What an ask would come to, a line for each fact. */
export function renderPreview(preview: InvocationPreview): string {
  const { action, target, counts, risk, batches, timeout, expires_in, digest } = preview;
  const { total, without_action: without } = counts;
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['action', action],
    ['target', 'integration' in target ? describeTarget(target) : `${describeTarget(target)}: ${countNodes(total)}`],
    ['nodes', total === 0 ? undefined : namesOf(preview, total, () => true)],
    ['away', awayOf(preview)],
    [
      'not offered',
      without === 0 ? undefined : `by ${namesOf(preview, without, ({ offers_action }) => !offers_action)}`,
    ],
    ['batches', batches === 1 ? undefined : String(batches)],
    ['risk', risk],
    ['time-out', timeout],
    ['expires in', expires_in],
    ['policy', decisionOf(preview)],
    ['digest', digest],
  ];
  return fields
    .flatMap(([name, value]) => (value === undefined ? [] : [`${`${name}:`.padEnd(13)}${escapeText(value)}\n`]))
    .join('');
}

function awayOf(preview: InvocationPreview): string | undefined {
  const { offline, never_seen } = preview.counts;
  const away = offline + never_seen;
  if (away === 0) return undefined;
  const never = never_seen === 0 ? '' : ` (${never_seen} never seen)`;
  return `${away}${never}: ${namesOf(preview, away, ({ state }) => state !== 'online')}`;
}

function decisionOf({ decision: { kind, detail } }: InvocationPreview): string {
  if (kind === 'approved') return 'runs at once';
  if (kind === 'pending') return 'waits for an admin or an owner';
  return `${kind}: ${detail ?? ''}`;
}

/** The first names of the `count` nodes that pass; the preview itself may leave some out. */
function namesOf(
  { nodes }: InvocationPreview,
  count: number,
  passes: (node: InvocationPreview['nodes'][number]) => boolean,
): string {
  const shown = nodes.filter(passes).slice(0, SHOWN_NODES);
  const more = count > shown.length ? ` and ${count - shown.length} more` : '';
  return `${shown.map(({ node }) => node).join(', ')}${more}`;
}

/** `1 node`, `12 nodes`. */
export function countNodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}
