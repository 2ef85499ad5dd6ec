import { join } from 'node:path';
import type { Command } from 'commander';
import { AGENT_SECTIONS, runAgent } from '../../agent/run.js';
import type { Io } from '../io.js';
import { partCommand } from '../part.js';
import { localCommands } from './agent-local.js';

const HELP = `
The first start enrolls the node with a token (muster enroll-token create); afterwards neither URL nor token is
needed. A second agent on one machine wants a directory, a node id and a metrics port of its own.

Examples:
  $ muster agent --enroll http://127.0.0.1:8080 --token "$(muster enroll-token create)"
  $ muster agent --data ./second --node-id second --metrics-port 0 --enroll http://127.0.0.1:8080 --token met_…
  $ MUSTER_AGENT_HOOKS_DIR=/etc/muster/hooks muster agent --config /etc/muster.yaml
  $ muster agent status`;

const PART = {
  name: 'agent',
  description: 'Run the agent of this node until it is stopped.',
  help: HELP,
  sections: AGENT_SECTIONS,
  shortcuts: { enroll: 'enroll_url', token: 'enroll_token' },
  inDataDir: (dataDir: string) => ({ data_dir: join(dataDir, 'agent') }),
};

/**
 * `muster agent`: takes requests from the controller and runs them on this machine. With a further word it asks the
 * agent that runs already.
 */
export function agentCommand(io: Io): Command {
  const command = partCommand(PART, io, (config) => runAgent(config)).enablePositionalOptions();
  for (const local of localCommands(io)) command.addCommand(local);
  return command;
}
