import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { BrokerConfig } from '../../broker/config.js';
import { BROKER_DENIALS } from '../../broker/metrics.js';
import { startBroker } from '../../broker/start.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { assertRejectsCode } from '../support/assert-code.js';
import { startTestBroker, type TestScope } from '../support/broker.js';
import { deniedCount } from '../support/broker-metrics.js';
import { findCommand, runCommand } from '../support/commands.js';
import { connectClient, nextMessage, whenClosed } from '../support/mqtt-clients.js';
import { openRaw } from '../support/raw-mqtt.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const STATUS = 'muster/v1/default/node/pump-7/status';
const log = createLogger('broker', { level: 'silent' });
const keys = { keyOf: () => undefined, notReady: () => undefined, stop: () => undefined };

/** A certificate for 127.0.0.1 that signs itself; undefined where there is no openssl. */
async function makeCertificate(t: TestScope): Promise<{ tls_cert_file: string; tls_key_file: string } | undefined> {
  const openssl = findCommand('openssl');
  if (openssl === undefined) return undefined;
  const directory = temporaryDirectory(t);
  const [tls_cert_file, tls_key_file] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const { exitCode, stderr } = await runCommand(openssl, [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', tls_key_file, '-out', tls_cert_file],
  ]);
  assert.equal(exitCode, 0, stderr);
  return { tls_cert_file, tls_key_file };
}

test('clients on TCP, TLS and WebSocket meet on one broker', async (t) => {
  const certificate = await makeCertificate(t);
  if (certificate === undefined) return t.skip('openssl is not installed');
  const broker = await startTestBroker(t, { config: { tls_port: 0, ws_port: 0, ...certificate } });
  const ca = readFileSync(certificate.tls_cert_file);
  const secure = await connectClient(t, `mqtts://127.0.0.1:${broker.tlsPort}`, {
    ...broker.credential('controller', 'ctl-a'),
    ca,
  });
  const browser = await connectClient(t, `ws://127.0.0.1:${broker.wsPort}`, broker.credential('controller', 'ctl-b'));
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  await secure.subscribeAsync(STATUS, { qos: 1 });
  await browser.subscribeAsync(STATUS, { qos: 1 });
  const told = [nextMessage(secure), nextMessage(browser)];

  await node.publishAsync(STATUS, 'on line', { qos: 1, retain: true });

  for (const message of await Promise.all(told)) assert.equal(message.text, 'on line');
});

test('TLS may listen on an address on which plain MQTT does not', async (t) => {
  const certificate = await makeCertificate(t);
  if (certificate === undefined) return t.skip('openssl is not installed');
  if (process.platform !== 'linux') return t.skip('only Linux has all of 127.0.0.0/8 without setting it up');
  const broker = await startTestBroker(t, { config: { tls_host: '127.0.0.2', tls_port: 0, ...certificate } });

  const reaches = (host: string, port: number | undefined): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connectTcp({ host, port: port ?? 0 });
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      t.after(() => socket.destroy());
    });

  assert.equal(await reaches('127.0.0.2', broker.tlsPort), true);
  assert.equal(await reaches('127.0.0.2', broker.port), false);
  assert.equal(await reaches('127.0.0.1', broker.port), true);
});

test('TLS below 1.2 is refused', async (t) => {
  const certificate = await makeCertificate(t);
  if (certificate === undefined) return t.skip('openssl is not installed');
  const broker = await startTestBroker(t, { config: { tls_port: 0, ...certificate } });

  const refused = new Promise<string>((resolve) => {
    const options = { port: broker.tlsPort ?? 0, host: '127.0.0.1', rejectUnauthorized: false } as const;
    const socket = connectTls({
      ...options,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    socket.on('secureConnect', () => resolve(`connected with ${socket.getProtocol()}`));
    socket.on('error', () => resolve('refused'));
    t.after(() => socket.destroy());
  });

  assert.equal(await refused, 'refused');
});

test('a WebSocket without the subprotocol mqtt and a plain HTTP request are refused', async (t) => {
  const broker = await startTestBroker(t, { config: { ws_port: 0 } });
  const address = `127.0.0.1:${broker.wsPort}`;

  const socket = new WebSocket(`ws://${address}`, ['chat']);
  const failed = new Promise<string>((resolve) => socket.on('error', (error) => resolve(error.message)));

  assert.match(await failed, /400/);
  assert.equal((await fetch(`http://${address}/`)).status, 426);
});

test('a giant packet over WebSocket is refused like any other', async (t) => {
  const broker = await startTestBroker(t, { config: { ws_port: 0 } });
  const socket = new WebSocket(`ws://127.0.0.1:${broker.wsPort}`, ['mqtt']);
  t.after(() => socket.terminate());
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));

  socket.on('open', () => socket.send(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])));

  await closed;
  assert.equal(await deniedCount(broker, 'packet_size'), 1);
});

test('stop ends every connection, admitted or not, and frees the ports', async (t) => {
  const broker = await startTestBroker(t);
  const node = await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
  const silent = await openRaw(t, broker.port);
  const closed = whenClosed(node);

  await broker.stop();

  await Promise.all([closed, silent.closed]);
  await broker.restart();
  await connectClient(t, broker.url, broker.credential('node', 'pump-7'));
});

test('a taken port is port_in_use, and what had been opened is closed again', async (t) => {
  const broker = await startTestBroker(t);
  const free = await startTestBroker(t);
  await free.stop();
  const start = (settings: object) =>
    startBroker({ config: BrokerConfig.parse(settings), log, clock: SYSTEM_CLOCK, keys });

  const error = await assertRejectsCode(start({ port: broker.port, metrics_port: free.metricsPort }), 'port_in_use');

  assert.match(error.message, new RegExp(`MQTT port ${broker.port} .* taken`));
  const again = await start({ port: 0, metrics_port: free.metricsPort });
  await again.stop(AbortSignal.abort());
});

test('a certificate that cannot be read is config_invalid', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'broken.pem');
  writeFileSync(file, 'no certificate');
  const config = { port: 0, metrics_port: 0, tls_port: 0, tls_cert_file: file, tls_key_file: file };

  const started = startBroker({ config: BrokerConfig.parse(config), log, clock: SYSTEM_CLOCK, keys });

  assert.match((await assertRejectsCode(started, 'config_invalid')).message, /tls_cert_file/);
});

test('the settings that belong together are checked together', () => {
  const faults = (settings: object): string[] =>
    BrokerConfig.safeParse(settings).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

  assert.deepEqual(faults({ tls_port: 8883 }), ['tls_port: needs tls_cert_file and tls_key_file']);
  assert.deepEqual(faults({ max_packet_bytes: 65_536, max_out_buffer_bytes: 32_768 }), [
    'max_out_buffer_bytes: must not be below max_packet_bytes',
  ]);
  assert.deepEqual(faults({}), []);
});

test('/metrics names every reason of a denial from the start, and /readyz says that the broker is ready', async (t) => {
  const broker = await startTestBroker(t);
  const base = `http://127.0.0.1:${broker.metricsPort}`;

  const text = await (await fetch(`${base}/metrics`)).text();

  for (const reason of BROKER_DENIALS)
    assert.match(text, new RegExp(`^muster_broker_denied_total{reason="${reason}"} 0$`, 'm'));
  assert.match(text, /^muster_broker_build_info{version="[^"]+",node_version="v\d+[^"]*"} 1$/m);
  assert.equal((await fetch(`${base}/readyz`)).status, 200);
});

test('a monitor reads the counters of the broker under $SYS', async (t) => {
  const broker = await startTestBroker(t);
  const monitor = await connectClient(t, broker.url, broker.credential('monitor', 'mon-a'));
  const seen = new Map<string, string>();
  const whole = new Promise<void>((resolve) =>
    monitor.on('message', (topic, payload) => {
      seen.set(topic, payload.toString());
      if (seen.has('$SYS/broker/messages/sent')) resolve();
    }),
  );

  await monitor.subscribeAsync('$SYS/#', { qos: 0 });
  await whole;

  assert.match(seen.get('$SYS/broker/version') ?? '', /^muster \d/);
  assert.match(seen.get('$SYS/broker/clients/connected') ?? '', /^\d+$/);
  assert.match(seen.get('$SYS/broker/uptime') ?? '', /^\d+ seconds$/);
});
