import { Command } from 'commander';
import { NodeView } from '../../controller/http/schemas.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { type Cell, renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster nodes
  $ muster nodes --json | jq -r '.items[] | select(.state == "offline") | .node'`;

/** `muster nodes`: who is enrolled, and who is there. */
export function nodesCommand(io: Io): Command {
  const command = new Command('nodes')
    .description('List the nodes: state, version, groups, labels, when each was last seen, and its open executions.')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(NodeView, { path: '/nodes' });
    print(io, { isJson, value: { items }, render: () => render(items, io) });
  });
}

function render(nodes: readonly NodeView[], io: Io): string {
  if (nodes.length === 0) return 'No node is enrolled yet. Make a token for one with: muster enroll-token create';
  const head = ['NODE', 'STATE', 'VERSION', 'GROUPS', 'LABELS', 'LAST SEEN', 'OPEN'];
  const rows = nodes.map((node) => [
    node.node,
    stateCell(node.state),
    node.agent_version ?? '-',
    node.groups.join(' ') || '-',
    Object.entries(node.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(' ') || '-',
    node.last_seen ?? '-',
    String(node.open_executions),
  ]);
  return renderTable(head, rows, io);
}

function stateCell(state: NodeView['state']): Cell {
  if (state === 'online') return { text: state, tone: 'good' };
  return { text: state.replace('_', ' '), tone: state === 'offline' ? 'bad' : 'dim' };
}
