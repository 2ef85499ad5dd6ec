import { Command } from 'commander';
import { z } from 'zod';
import { HookView, NodeView } from '../../controller/http/schemas.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { Sha256Hex } from '../../protocol/ids.js';
import { matches, type Selector } from '../../protocol/selectors.js';
import { EXIT } from '../../runtime/exit-codes.js';
import type { Client } from '../client.js';
import type { Io } from '../io.js';
import { addConnectionOptions, collect, collectNodes, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';
import { toSelector } from '../target.js';

const HELP = `
Examples:
  $ muster hooks accept deploy.sh --node pump-7
  $ muster hooks accept deploy.sh --group pumps --checksum "$(sha256sum < deploy.sh | cut -d' ' -f1)"

With --checksum only nodes that have this very version are accepted. Without it all changed ones must agree.
Exit code 0 when nothing is left to accept, else 1.`;

const AcceptOptions = z.object({
  node: z.array(z.string()).optional(),
  group: z.string().optional(),
  label: z.array(z.string()).optional(),
  all: z.boolean().optional(),
  checksum: z.string().optional(),
});

/** What became of one node: `other` has another version than the one that was named. */
type Acceptance = Readonly<{ node: string; name: string; checksum: string; outcome: 'accepted' | 'other' }>;

/** `muster hooks accept NAME`: from now on the present version is the pinned one. */
export function acceptHookCommand(io: Io): Command {
  const command = new Command('accept')
    .summary('accept a changed hook')
    .description('Accept a hook that has changed, so that it may be asked for again.')
    .usage('<hook> (--node <id> | --group <id> | --label <k=v> | --all) [options]')
    .argument('<hook>', 'name of the hook')
    .option('--node <id>', 'on this node; repeat it or use commas for more', collectNodes)
    .option('--group <id>', 'on the members of this group')
    .option('--label <k=v>', 'on the nodes that carry this label; repeat it for more', collect)
    .option('--all', 'on every node')
    .option('--checksum <sha256>', 'the version that you have looked at')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (name: string, _own: unknown, self: Command) => {
    const options: unknown = self.optsWithGlobals(); // --json and the like are taken by `hooks` as well
    const { client, isJson } = connect(options, io);
    const { checksum: text, ...target } = AcceptOptions.parse(options);
    const selector = toSelector(target);
    const named = text === undefined ? undefined : readChecksum(text);
    const found = await findHooks(client, name, selector);
    const changed = found.filter((hook) => hook.changed);
    const acceptances = await acceptAll(client, changed, named ?? theOneVersion(name, changed));
    print(io, { isJson, value: { items: acceptances }, render: () => render(acceptances, name, io) });
    if (acceptances.some(({ outcome }) => outcome !== 'accepted')) io.exitWith(EXIT.failed);
  });
}

/** @throws {MusterError} usage */
function readChecksum(text: string): string {
  const checksum = Sha256Hex.safeParse(text.trim().toLowerCase());
  if (!checksum.success) throw new MusterError('usage', '--checksum must be a SHA-256 in hex, 64 digits');
  return checksum.data;
}

/** @throws {MusterError} not_found when a node that is named, or every selected one, lacks the hook */
async function findHooks(client: Client, name: string, selector: Selector): Promise<HookView[]> {
  const hooks = await client.list(HookView, { path: '/hooks', query: { name } });
  const selected = await selectedNodes(client, selector);
  const found = hooks.filter(({ node }) => selected === undefined || selected.has(node));
  const lacking = 'nodes' in selector ? selector.nodes.filter((node) => !found.some((hook) => hook.node === node)) : [];
  if (lacking.length > 0) throw new MusterError('not_found', `${lacking.join(', ')} does not offer the hook ${name}`);
  if (found.length === 0) throw new MusterError('not_found', `No selected node offers the hook ${name}`);
  return found;
}

/** Undefined stands for every node. */
async function selectedNodes(client: Client, selector: Selector): Promise<ReadonlySet<string> | undefined> {
  if ('fleet' in selector) return undefined;
  if ('nodes' in selector) return new Set(selector.nodes);
  const nodes = await client.list(NodeView, { path: '/nodes' });
  return new Set(nodes.filter((node) => matches(selector, node)).map(({ node }) => node));
}

/** @throws {MusterError} usage when the changed hooks are not all the same */
function theOneVersion(name: string, changed: readonly HookView[]): string | undefined {
  const versions = [...new Set(changed.map(({ checksum }) => checksum))];
  if (versions.length <= 1) return versions[0];
  throw new MusterError(
    'usage',
    `The nodes have ${versions.length} changed versions of ${name}; say which with --checksum:\n  ${versions.join('\n  ')}`,
  );
}

async function acceptAll(
  client: Client,
  changed: readonly HookView[],
  wanted: string | undefined,
): Promise<Acceptance[]> {
  const acceptances: Acceptance[] = [];
  for (const { node, name, checksum } of changed) {
    const isDone = checksum === wanted && (await accept(client, { node, name, checksum }));
    acceptances.push({ node, name, checksum, outcome: isDone ? 'accepted' : 'other' });
  }
  return acceptances;
}

/** False when the node has yet another version since it was listed. */
async function accept(
  client: Client,
  { node, name, checksum }: Readonly<{ node: string; name: string; checksum: string }>,
): Promise<boolean> {
  const path = `/nodes/${encodeURIComponent(node)}/hooks/${encodeURIComponent(name)}/accept`;
  try {
    await client.call(HookView, { method: 'POST', path, body: { checksum } });
    return true;
  } catch (error) {
    if (isMusterError(error, 'hook_changed')) return false;
    throw error;
  }
}

function render(acceptances: readonly Acceptance[], name: string, io: Io): string {
  if (acceptances.length === 0) return `Nothing to accept: ${name} is as it was pinned.`;
  const head = ['NODE', 'HOOK', 'OUTCOME', 'CHECKSUM'];
  const rows = acceptances.map(({ node, name: hook, checksum, outcome }) => [
    node,
    hook,
    outcome === 'accepted'
      ? ({ text: 'accepted', tone: 'good' } as const)
      : ({ text: 'another version', tone: 'bad' } as const),
    checksum,
  ]);
  return renderTable(head, rows, io);
}
