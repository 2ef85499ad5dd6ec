import { addAbortListener } from 'node:events';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { z } from 'zod';
import { BrokerCredential } from '../../controller/http/schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { TOPICS } from '../../protocol/topics.js';
import { SYSTEM_CLOCK, toTime } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { type IncomingMessage, startMqttSession } from '../../runtime/mqtt-session.js';
import { escapeText, toJsonLine } from '../../runtime/terminal-text.js';
import { decodeMessage } from '../decode-message.js';
import { type Io, printLine } from '../io.js';
import { addConnectionOptions, collectNodes, connect } from '../options.js';
import { untilInterrupted } from '../until-interrupted.js';

const HELP = `
It shows every message on the topics of the org with what it says, until Ctrl-C. It needs the role admin: it asks the
controller for a password of the broker. Nothing that it shows is verified. Passwords and keys are hidden, output is not.
What the controller has stored stands in muster events.

Examples:
  $ muster watch
  $ muster watch --node pump-7
  $ muster watch --kind ack,result --json | jq '{node, kind, status: .payload.status}'`;

const WatchOptions = z.object({
  node: z.array(z.string()).optional(),
  kind: z.array(z.string()).optional(),
  broker: z.url({ protocol: /^(mqtts?|wss?)$/, error: '--broker must be a URL of MQTT' }).optional(),
  ca: z.string().optional(),
});

const CONNECT_MS = 15_000;
const KEEP_ALIVE_SECONDS = 30;
/** A member's text is cut to so many characters in a line for people. */
const MAX_MEMBER = 200;

/** `muster watch`: what passes on the topics, decoded. */
export function watchCommand(io: Io): Command {
  const command = new Command('watch')
    .description('Show what passes on the topics, decoded.')
    .option('--node <id>', 'only messages of this node; repeat it or use commas for more', collectNodes)
    .option('--kind <kind>', `only these: ${Object.keys(TOPICS).join(', ')}`, collectNodes)
    .option('--broker <url>', 'address of the broker, where the one that nodes use is not reached from here')
    .option('--ca <file>', "PEM file of the broker's CA")
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const parsed = WatchOptions.safeParse(options);
    if (!parsed.success) throw new MusterError('usage', parsed.error.issues[0]?.message ?? '');
    const { node, kind, broker, ca } = parsed.data;
    const unknown = kind?.find((each) => !Object.hasOwn(TOPICS, each));
    if (unknown !== undefined) throw new MusterError('usage', `--kind: there is no ${unknown}`);
    const { client, isJson } = connect(options, io);
    const call = { method: 'POST', path: '/broker-credentials', body: { role: 'controller' } } as const;
    const credential = await client.call(BrokerCredential, call);
    const isWanted = (message: IncomingMessage): boolean =>
      (kind?.includes(message.kind) ?? true) && (node?.includes(message.levels.node ?? '') ?? true);
    const onMessage = (message: IncomingMessage): void => {
      if (isWanted(message)) printLine(io, isJson ? jsonOf(message) : lineOf(message));
    };
    const at = { ...credential, url: broker ?? credential.url, ca: ca === undefined ? undefined : readCa(ca) };
    await untilInterrupted(io, (signal) => watchTopics(at, { onMessage, io, signal }));
  });
}

/**
 * Hands over what passes until the signal fires; a connection that breaks is made anew.
 * @throws {MusterError} unavailable: there was none within 15 s; cancelled
 */
async function watchTopics(
  { url, client_id, username, password, filters, ca }: BrokerCredential & Readonly<{ ca: string | undefined }>,
  { onMessage, io, signal }: { onMessage: (message: IncomingMessage) => void; io: Io; signal: AbortSignal },
): Promise<never> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new MusterError('unavailable', `No broker answers at ${url}`)), CONNECT_MS);
    addAbortListener(signal, () => reject(new MusterError('cancelled', 'Interrupted')));
  });
  const session = startMqttSession({
    url,
    clientId: client_id,
    scope: scopeOf(filters[0] ?? ''),
    ...(ca === undefined ? {} : { ca }),
    keepAliveSeconds: KEEP_ALIVE_SECONDS,
    credentials: () => ({ username, password }),
    filters: () => filters,
    onConnect() {
      clearTimeout(timer);
      io.stderr.write(`Watching ${escapeText(filters.join(' '))} at ${escapeText(url)}.\n`);
    },
    onDisconnect: (reason) => void io.stderr.write(`Lost the broker (${escapeText(reason)}); connecting again.\n`),
    onMessage,
    log: createLogger('watch', { level: 'silent' }),
  });
  try {
    return await over;
  } finally {
    clearTimeout(timer);
    await session.stop();
  }
}

/** `muster/v1/default/#` is everything of one org. @throws {MusterError} unavailable */
function scopeOf(filter: string): { prefix: string; org: string } {
  const [, prefix, org] = /^([^/]+\/[^/]+)\/([^/]+)\/#$/.exec(filter) ?? [];
  if (prefix === undefined || org === undefined) throw new MusterError('unavailable', 'The controller names no topics');
  return { prefix, org };
}

/** @throws {MusterError} config_invalid */
function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MusterError('config_invalid', `The file ${file} cannot be read`, { cause });
  }
}

function jsonOf(message: IncomingMessage): string {
  return toJsonLine({ at: toTime(SYSTEM_CLOCK.nowMs()), ...decodeMessage(message) });
}

function lineOf(message: IncomingMessage): string {
  const { kind, from, bytes, node, group, terminal, payload, unreadable } = decodeMessage(message);
  const who = [node, group, terminal].filter((id) => id !== undefined).join('/') || 'fleet';
  const said = Object.entries(payload ?? {}).map(([name, value]) => `${name}=${shorten(value)}`);
  const arrow = from === 'agent' ? '<-' : '->';
  return escapeText(
    [toTime(SYSTEM_CLOCK.nowMs()), arrow, who, kind, ...said, unreadable ?? '', `${bytes} B`].filter(Boolean).join(' '),
  );
}

function shorten(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= MAX_MEMBER ? text : `${text.slice(0, MAX_MEMBER)}…`;
}
