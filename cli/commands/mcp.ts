import { Command } from 'commander';
import { Me } from '../../controller/http/people-schemas.js';
import { refuseApprovers } from '../../controller/mcp/admission.js';
import { serveMcpOverStdio } from '../../controller/mcp/stdio.js';
import type { Io } from '../io.js';
import { createRestBackend } from '../mcp-backend.js';
import { addConnectionOptions, connect } from '../options.js';

const HELP = `
The program of the AI agent starts this command and speaks to it over standard input and output. Give it the token of a
sandbox (muster sandbox create) in MUSTER_TOKEN, and the address of the controller in MUSTER_URL.

Examples:
  $ muster mcp
  $ muster mcp --url http://127.0.0.1:8080`;

/** `muster mcp`: the tools of an AI agent over standard input and output. */
export function mcpCommand(io: Io): Command {
  const command = new Command('mcp')
    .description('Let an AI agent ask for actions, over the Model Context Protocol. None of its tools approves.')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client } = connect(options, io);
    const me = await client.call(Me, { path: '/me' });
    refuseApprovers(me.role);
    const { closed, close } = serveMcpOverStdio(createRestBackend(client, me), (error) => {
      io.stderr.write(`${error instanceof Error ? error.message : 'A tool failed'}\n`);
    });
    const release = io.onInterrupt(close);
    await closed;
    release();
  });
}
