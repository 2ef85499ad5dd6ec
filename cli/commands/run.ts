import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import {
  ActionView,
  InvocationAnswer,
  type InvocationPreview,
  type InvocationView,
} from '../../controller/http/schemas.js';
import type { AnyParameters, InvocationTarget } from '../../controller/http/target-schemas.js';
import { isMusterError } from '../../protocol/errors.js';
import { EXIT } from '../../runtime/exit-codes.js';
import { readParameters, type TypedParameters, toParameters } from '../../runtime/parameters.js';
import { BatchOptions, toBatch } from '../batch.js';
import type { Client } from '../client.js';
import { confirmAsk, preview, refuseUnconfirmed } from '../confirm.js';
import { complete, follow } from '../follow.js';
import { toAsk, typeIntegrationParameters } from '../integration-ask.js';
import type { Io } from '../io.js';
import { addConnectionOptions, collect, collectNodes, connect, print } from '../options.js';
import { renderPreview } from '../render/preview.js';
import { renderEnd, renderOutcome } from '../report.js';
import { watchOf } from '../watch.js';

const HELP = `
Say which nodes with exactly one of --node, --group, --label and --all, or which other system with --integration.
Values are typed as the action announces them (see: muster actions, muster integration list). Durations are written 500ms, 30s, 10m or 24h.

What changes something and is yours to confirm is shown and asked about at a terminal; elsewhere it needs --yes.

Examples:
  $ muster run gather_info --node pump-7
  $ muster run reload-config --all --dry-run
  $ muster run gather_info --node pump-7,pump-8
  $ muster run ping target=10.0.0.1 --group pumps --timeout 10s
  $ muster run reload-config --label site=north --label tier=edge --reason "ticket 4711" --yes
  $ muster run update-firmware --group pumps --batch 10% --pause 5m --max-failed 2
  $ muster run get_issue issue=4711 --integration sentry
  $ muster run gather_info --all --json | jq '.executions[] | {node, status, exit_code}'

Ctrl-C leaves the action running and prints its id; muster show ID tells how it ended, muster cancel ID ends it.
Exit code 0 when every node succeeded, else 1.`;

/** How often an ask is sent when no answer comes, and the pause between. */
const MAX_ATTEMPTS = 3;
const RETRY_MS = 500;

const RunOptions = z.object({
  node: z.array(z.string()).optional(),
  group: z.string().optional(),
  label: z.array(z.string()).optional(),
  all: z.boolean().optional(),
  integration: z.string().optional(),
  timeout: z.string().optional(),
  expiresIn: z.string().optional(),
  reason: z.string().optional(),
  stream: z.boolean().default(false),
  yes: z.boolean().default(false),
  detach: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  ...BatchOptions.shape,
});
type RunOptions = z.infer<typeof RunOptions>;

/** `muster run ACTION [name=value…]`: asks, follows to the end and shows the outcomes. */
export function runCommand(io: Io): Command {
  const command = new Command('run')
    .description('Run an action on nodes and show what each answered.')
    .usage(
      '<action> [name=value...] (--node <id> | --group <id> | --label <k=v> | --all | --integration <name>) [options]',
    )
    .argument('<action>', 'name of the action')
    .argument('[name=value...]', 'its parameters')
    .option('--node <id>', 'this node; repeat it or use commas for more', collectNodes)
    .option('--group <id>', 'the members of this group')
    .option('--label <k=v>', 'the nodes that carry this label; repeat it for more', collect)
    .option('--all', 'every node')
    .option('--integration <name>', 'not nodes, but this integration')
    .option('--timeout <duration>', 'how long it may run on a node')
    .option('--expires-in <duration>', 'how long it may wait for a node that is away')
    .option('--reason <text>', 'why, for the record')
    .option('--stream', 'show what the nodes print while it runs')
    .option('--detach', 'print the id at once and do not wait')
    .option('--batch <n|p%>', 'so many nodes at a time, the next when these have ended')
    .option('--pause <duration>', 'between two batches')
    .option('--batch-wait <duration>', 'how long the nodes of a batch may take to accept it')
    .option('--max-failed <n|p%>', 'begin no further batch when more have failed (0 unless given)')
    .option('--dry-run', 'show what it would come to, and ask for nothing')
    .option('-y, --yes', 'confirm an action that changes something')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (word: string, words: string[], options: unknown) => {
    const typed = readParameters(words);
    const ask = RunOptions.parse(options);
    const spelled = { ...toBody(ask), ...toAsk(word, targetOf(ask)) };
    const { client, isJson } = connect(options, io);
    const parameters = await typeParameters(client, spelled, typed);
    const body = { ...spelled, parameters };
    if (ask.dryRun) return showPreview(await preview(client, body), { isJson, io });
    const confirmed = ask.yes ? body : await confirm(client, body, io);
    if (confirmed === undefined) return refrain(io);
    const invocation = await create(client, confirmed);
    if (ask.detach) return print(io, { isJson, value: { invocation }, render: () => invocation.id });
    if (invocation.status === 'pending') tellPending(invocation, io);
    await report(client, { invocation, isJson, isLive: ask.stream && !isJson, io });
  });
}

/** By the person at the terminal; without one what has to be confirmed is refused. */
async function confirm(client: Client, body: Readonly<Record<string, unknown>>, io: Io) {
  if (io.isInteractive) return confirmAsk(client, body, io);
  await refuseUnconfirmed(client, body);
  return body;
}

/** Exit code 77 when it would not be taken. */
function showPreview(shown: InvocationPreview, { isJson, io }: { isJson: boolean; io: Io }): void {
  print(io, { isJson, value: shown, render: () => renderPreview(shown) });
  const { kind } = shown.decision;
  if (kind === 'denied' || kind === 'refused') io.exitWith(EXIT.notAllowed);
}

function refrain(io: Io): void {
  io.stderr.write('Nothing was asked.\n');
  io.exitWith(EXIT.failed);
}

function tellPending({ id, expires_at }: InvocationView, io: Io): void {
  io.stderr.write(`It waits for an admin or an owner until ${expires_at}: muster approve ${id}\n`);
}

function targetOf({ node, group, label, all, integration }: RunOptions) {
  return { node, group, label, all, integration };
}

function toBody(options: RunOptions): Readonly<Record<string, unknown>> {
  const { timeout, expiresIn, reason, stream, yes } = options;
  return { timeout, expires_in: expiresIn, reason, stream, confirm: yes, batch: toBatch(options) };
}

/**
 * Asks without waiting, so that the id is known whatever happens next. When the answer is lost the same ask is sent
 * again: its key makes the controller answer with what it has stored.
 */
async function create(client: Client, body: Readonly<Record<string, unknown>>): Promise<InvocationView> {
  const headers = { 'idempotency-key': randomUUID() };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const call = { method: 'POST', path: '/invocations', body, headers } as const;
      return (await client.call(InvocationAnswer, call)).invocation;
    } catch (error) {
      const isLost = isMusterError(error, 'unavailable') || isMusterError(error, 'deadline_passed');
      if (!isLost || attempt === MAX_ATTEMPTS) throw error;
      await delay(RETRY_MS);
    }
  }
}

/** The types come from what the nodes announce; without parameters there is nothing to ask. */
async function typeParameters(
  client: Client,
  { action, target }: Readonly<{ action: string; target: InvocationTarget }>,
  typed: TypedParameters,
): Promise<AnyParameters> {
  if (typed.size === 0) return {};
  if ('integration' in target) return typeIntegrationParameters(client, { ...target, action }, typed);
  const [announced] = await client.list(ActionView, { path: '/actions', query: { name: action } });
  return toParameters(typed, announced?.parameters ?? []);
}

async function report(
  client: Client,
  { invocation, isJson, isLive, io }: { invocation: InvocationView; isJson: boolean; isLive: boolean; io: Io },
): Promise<void> {
  const interrupt = new AbortController();
  const stopListening = io.onInterrupt(() => interrupt.abort());
  const watch = watchOf(client, { invocation, isLive, io });
  try {
    const { waitSeconds, onState } = watch;
    const answer = await follow(client, invocation.id, { waitSeconds, signal: interrupt.signal, onState });
    watch.end();
    const render = watch.isOutputShown ? renderEnd : renderOutcome;
    const text = isJson ? '' : await render(client, answer, io);
    print(io, { isJson, value: isJson ? await complete(client, answer) : answer, render: () => text });
    if (answer.invocation.status !== 'completed') io.exitWith(EXIT.failed);
  } catch (error) {
    watch.end();
    io.stderr.write(
      `The action goes on. Look at it with: muster show ${invocation.id}\nEnd it with: muster cancel ${invocation.id}\n`,
    );
    if (!isMusterError(error, 'cancelled')) throw error;
    io.exitWith(EXIT.interrupted);
  } finally {
    stopListening();
  }
}
