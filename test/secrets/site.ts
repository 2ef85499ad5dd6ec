import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { BrokerCredential } from '../../controller/http/schemas.js';
import type { TestScope } from '../support/broker.js';
import { HARMLESS_ENV } from '../support/harmless.js';
import { writeHook } from '../support/hooks.js';
import { startStandIn } from '../support/stand-in.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { startUpWith, type Up } from '../support/up.js';
import type { Canaries } from './canaries.js';

/** Octets by the place that they were seen at. */
export type Seen = Map<string, Buffer[]>;

/** An installation of real processes with a secret in every place, and what was seen of it so far. */
export type Site = Readonly<{
  up: Up;
  seen: Seen;
  standInUrl: string;
  /** Asks the REST API as the owner; the whole answer is seen. Gives its JSON. */
  call: (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;
}>;

/** Starts broker, controller and agent as `muster up` does, with a client that is given every message. */
export async function startSite(t: TestScope, canaries: Canaries, program?: string): Promise<Site> {
  const seen: Seen = new Map();
  const see = (place: string, octets: Buffer): void => void seen.set(place, [...(seen.get(place) ?? []), octets]);
  const outside = temporaryDirectory(t); // where secrets are before they enter
  const dataDir = temporaryDirectory(t);
  const standIn = await startStandIn(t, ({ path, headers, body }) => {
    if (path === '/hook') see('webhook', Buffer.from(JSON.stringify(body ?? '')));
    return answer(canaries, path, headers.authorization ?? '');
  });
  prepare({ outside, dataDir, canaries, standInUrl: standIn.url });
  const up = await startUpWith(t, {
    dataDir,
    ...(program === undefined ? {} : { program }),
    env: {
      ...HARMLESS_ENV,
      ...{ MUSTER_AGENT_SECRETS_FILE: join(outside, 'node'), MUSTER_AGENT_LOG_LEVEL: 'trace' },
      ...{ MUSTER_CONTROLLER_SECRETS_FILE: join(outside, 'controller'), MUSTER_CONTROLLER_LOG_LEVEL: 'trace' },
      ...{ MUSTER_CONTROLLER_WEBHOOKS_FILE: join(outside, 'webhooks.yaml'), MUSTER_BROKER_LOG_LEVEL: 'trace' },
    },
  });
  see('told once', Buffer.from(up.stdout()));
  const call: Site['call'] = async (method, path, body) => {
    const response = await fetch(`${up.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${up.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const octets = Buffer.from(await response.arrayBuffer());
    const headers = Buffer.from(JSON.stringify([...response.headers]));
    see(`http ${method} ${path.split('?', 1)[0]}`, Buffer.concat([headers, octets]));
    return parse(octets.toString());
  };
  await watchMqtt(t, {
    up,
    see,
    credential: BrokerCredential.parse(await call('POST', '/api/v1/broker-credentials', { role: 'controller' })),
  });
  seen.delete('http POST /api/v1/broker-credentials');
  watchEvents(t, up, (octets) => see('events', octets));
  return { up, seen, standInUrl: standIn.url, call };
}

function prepare({
  outside,
  dataDir,
  canaries,
  standInUrl,
}: {
  outside: string;
  dataDir: string;
  canaries: Canaries;
  standInUrl: string;
}): void {
  const write = (name: string, text: string): void => writeFileSync(join(outside, name), text, { mode: 0o600 });
  write('node', `value: ${canaries.onNode}\n`);
  write('controller', `value: ${canaries.onController}\ntyped: ${canaries.typed}\n`);
  write('hook.secret', canaries.webhookSecret);
  const events = '[action_approval_request, action_completed, node_offline]';
  const webhook = `name: pager\n    url: ${standInUrl}/hook\n    events: ${events}\n    secret_file: hook.secret`;
  write('webhooks.yaml', `webhooks:\n  - ${webhook}\n    allow: [127.0.0.0/8]\n`);
  const leaks = [canaries.onNode, canaries.onController].map(leakOf).join('\n');
  write('leaks', leaks);
  write('half-1', `in two: ${canaries.onNode.slice(0, 9)}`);
  write('half-2', `${canaries.onNode.slice(9)} end\nin two: ${canaries.onController.slice(0, 20)}`);
  write('half-3', `${canaries.onController.slice(20)} end\n`);
  const at = (name: string): string => join(outside, name);
  mkdirSync(join(dataDir, 'hooks'), { recursive: true });
  const halves = ['half-1', 'half-2', 'half-3'].map((name) => `cat ${at(name)}; sleep 0.4`).join('; ');
  writeHook(join(dataDir, 'hooks'), 'leak', `#!/bin/sh\ncat ${at('leaks')}\ncat ${at('leaks')} >&2\n${halves}\n`);
  writeHook(join(dataDir, 'hooks'), 'flood', `#!/bin/sh\nfor i in $(seq 1 40); do cat ${at('leaks')}; done\nexit 3\n`);
}

/** What a careless program prints of a value, in every form. */
function leakOf(value: string): string {
  const octets = Buffer.from(value);
  const authorization = Buffer.from(`user:${value}`).toString('base64');
  return [
    ...[value, JSON.stringify({ value }), encodeURIComponent(value), octets.toString('hex'), octets.toString('base64')],
    ...[octets.toString('base64url'), `Authorization: Basic ${authorization}`, 'x'.repeat(1000)],
  ].join('\n');
}

/** A system that gives back what it was asked with, in its answers and in its errors. */
function answer({ nangoToken, githubToken }: Canaries, path: string, authorization: string) {
  if (path.startsWith('/connection/')) return { json: { credentials: { type: 'OAUTH2', access_token: nangoToken } } };
  if (path.endsWith('/access_tokens')) return { status: 201, json: { token: githubToken } };
  const token = authorization.replace('Bearer ', '');
  const echoed = { authorization, note: `you sent ${token}`, hex: Buffer.from(token).toString('hex') };
  if (path.includes('refused')) return { status: 403, json: { detail: `not with ${token}` } };
  return { json: { ...echoed, encoded: Buffer.from(authorization).toString('base64'), list: [{ deep: token }] } };
}

async function watchMqtt(
  t: TestScope,
  { up, see, credential }: { up: Up; see: (place: string, octets: Buffer) => void; credential: BrokerCredential },
): Promise<void> {
  const { client_id, username, password, filters } = credential;
  const client = await connectAsync(up.mqttUrl, { clientId: client_id, username, password, reconnectPeriod: 0 });
  t.after(() => client.endAsync(true));
  const ofController = /\/(request|control)$/;
  client.on('message', (topic, octets) => see(ofController.test(topic) ? 'mqtt controller' : 'mqtt agent', octets));
  await client.subscribeAsync([...filters], { qos: 1 });
}

function watchEvents(t: TestScope, { url, token }: Up, see: (octets: Buffer) => void): void {
  const stop = new AbortController();
  const read = async (): Promise<void> => {
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
    const response = await fetch(`${url}/api/v1/events`, { headers, signal: stop.signal });
    if (response.body === null) return;
    for await (const octets of response.body) see(Buffer.from(octets));
  };
  read().catch(() => undefined); // it ends with the site
  t.after(() => stop.abort());
}

function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
