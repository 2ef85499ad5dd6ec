// The agent as one file for small devices: node muster-agent.cjs --enroll URL --token T --data DIR, and for the people
// on the device: node muster-agent.cjs status | actions | run ACTION [name=value…]
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { MusterError } from '../protocol/errors.js';
import { loadConfig } from '../runtime/config.js';
import { errnoOf } from '../runtime/errno.js';
import { reportFailure } from '../runtime/lifecycle.js';
import { VERSION } from '../runtime/version.js';
import { isLocalCommand } from './local/place.js';
import { AGENT_SECTIONS, runAgent } from './run.js';
import { usage } from './usage.js';

// Schemas that compile themselves are fast enough for V8 to optimize, and that takes 3.5 MiB (2026-11).
z.config({ jitless: true });
void main(process.argv.slice(2));

async function main(args: string[]): Promise<void> {
  try {
    const [first, ...rest] = args;
    if ((first === '--help' || first === '-h') && rest.length === 0) process.stdout.write(usage());
    else if (first === '--version' && rest.length === 0) process.stdout.write(`${VERSION}\n`);
    else if (isLocalCommand(first)) process.exitCode = await askLocally(args);
    else await start(args);
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}

/** Loaded only by who asks: the agent itself never does. */
async function askLocally(args: readonly string[]): Promise<number> {
  const { runCommandLine } = await import('./local/command-line.js');
  const { env, stdout, stderr } = process;
  stdout.on('error', (error) => {
    if (errnoOf(error) !== 'EPIPE') throw error;
    process.exit(0); // the reader, such as head, has seen enough
  });
  const onInterrupt = (listener: () => void): (() => void) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, listener);
    return () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, listener);
    };
  };
  return runCommandLine(args, { env, io: { stdout, stderr, onInterrupt } });
}

function start(args: string[]): Promise<void> {
  const { file, flags } = readFlags(args);
  return runAgent(loadConfig(AGENT_SECTIONS, { env: process.env, flags, ...(file === undefined ? {} : { file }) }));
}

/** `--config FILE`, `--data DIR`, `--enroll URL`, `--token T`, and every setting as `--its-key`. */
function readFlags(args: string[]): { file: string | undefined; flags: Record<string, Record<string, unknown>> } {
  const keys = Object.keys(AGENT_SECTIONS.agent.shape);
  const names = ['config', 'data', 'enroll', 'token', 'mesh-interface', ...keys.map((key) => key.replaceAll('_', '-'))];
  const { config, data, enroll, token, 'mesh-interface': meshInterface, ...rest } = parse(args, names);
  const agent = {
    ...(data === undefined ? {} : { data_dir: join(data, 'agent') }),
    ...(enroll === undefined ? {} : { enroll_url: enroll }),
    ...(token === undefined ? {} : { enroll_token: token }),
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [name.replaceAll('-', '_'), value])),
  };
  return { file: config, flags: { agent, mesh: meshInterface === undefined ? {} : { interface: meshInterface } } };
}

function parse(args: string[], names: readonly string[]): Record<string, string | undefined> {
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    throw new MusterError('usage', cause instanceof Error ? cause.message : 'the command line is wrong', { cause });
  }
}
