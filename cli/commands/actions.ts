import { Command } from 'commander';
import { ActionView } from '../../controller/http/schemas.js';
import type { ParameterSpec } from '../../protocol/messages/parameters.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster actions                 what any node offers
  $ muster actions pump-7          what one node offers
  $ muster actions --json | jq -r '.items[] | select(.kind == "hook") | .name'

Parameters are shown as name:type; one with ? may be left out.`;

/** `muster actions [NODE]`: what may be run, and where. */
export function actionsCommand(io: Io): Command {
  const command = new Command('actions')
    .description('List the actions that the nodes offer, or those of one node.')
    .argument('[node]', 'only what this node offers')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (node: string | undefined, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(ActionView, { path: '/actions', query: { node } });
    print(io, { isJson, value: { items }, render: () => render(items, io) });
  });
}

function render(actions: readonly ActionView[], io: Io): string {
  if (actions.length === 0) return 'No node offers an action yet.';
  const head = ['ACTION', 'KIND', 'RISK', 'NODES', 'PARAMETERS', 'DESCRIPTION'];
  const rows = actions.map(({ name, kind, risk, nodes, parameters, description }) => [
    name,
    kind,
    risk,
    nodes.length === 1 ? (nodes[0] ?? '') : String(nodes.length),
    parameters.map(describeParameter).join(' ') || '-',
    description,
  ]);
  return renderTable(head, rows, io);
}

function describeParameter({ name, type, required }: ParameterSpec): string {
  return `${name}${required ? '' : '?'}:${type}`;
}
