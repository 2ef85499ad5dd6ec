import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { AgentConfig } from '../../agent/config.js';
import { BrokerConfig } from '../../broker/config.js';
import { ControllerConfig } from '../../controller/config.js';
import { runCommand } from '../support/commands.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const ROOT = new URL('../../', import.meta.url);
const DOCKER = new URL('deploy/docker/', ROOT);

/** The part of the Compose specification that the file uses; anything else is refused. */
const Service = z.strictObject({
  image: z.string(),
  build: z.strictObject({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
  pull_policy: z.enum(['never']).optional(),
  restart: z.enum(['unless-stopped', 'no']),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  tmpfs: z.array(z.string()),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
  volumes: z.array(z.string().regex(/^[^:]+:\/[^:]+(:ro)?$/)).default([]),
  ports: z.array(z.string()).default([]),
  network_mode: z.string().optional(),
  stop_grace_period: z.string().optional(),
  healthcheck: z
    .union([
      z.strictObject({ disable: z.literal(true) }),
      z.strictObject({
        test: z.array(z.string()),
        interval: z.string(),
        timeout: z.string(),
        start_period: z.string(),
      }),
    ])
    .optional(),
  depends_on: z
    .record(z.string(), z.strictObject({ condition: z.enum(['service_healthy', 'service_completed_successfully']) }))
    .default({}),
});
const Compose = z.strictObject({
  name: z.string(),
  'x-hardened': z.unknown(),
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.null()),
});

const COMPOSE = Compose.parse(parse(readFileSync(new URL('compose.yaml', DOCKER), 'utf8'), { merge: true }));
const SERVICES = Object.entries(COMPOSE.services);

/** `[instruction, rest]` of each line, continuation lines joined. */
const DOCKERFILE = readFileSync(new URL('Dockerfile', DOCKER), 'utf8')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => /^\s*([A-Z]+) (.*)$/.exec(line)?.slice(1) ?? ['', line]);

/** The lines of each stage, by its name. */
function stages(): Map<string, string[][]> {
  const found = new Map<string, string[][]>();
  let current: string[][] = [];
  for (const line of DOCKERFILE) {
    const name = line[0] === 'FROM' ? line[1]?.split(' AS ')[1] : undefined;
    if (name !== undefined) {
      current = [];
      found.set(name, current);
    }
    current.push(line);
  }
  return found;
}

test('each image is named with a version, and ours is the version of this release', () => {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')));

  for (const [name, { image, build }] of SERVICES) {
    assert.match(image, /^[a-z/-]+:v?\d+\.\d+\.\d+$/, name);
    if (build !== undefined) assert.equal(image, `muster-${build.target}:${version}`);
  }
});

test('every port is published on loopback alone', () => {
  for (const [name, { ports }] of SERVICES) {
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name);
  }
});

test('each service that stays has a health check, and whoever waits waits for that', () => {
  const healthy = new Set(
    SERVICES.filter(([, { build, healthcheck }]) => {
      const stage = build === undefined ? [] : (stages().get(build.target) ?? []);
      return healthcheck !== undefined ? 'test' in healthcheck : stage.some(([keyword]) => keyword === 'HEALTHCHECK');
    }).map(([name]) => name),
  );

  for (const [name, { restart, depends_on }] of SERVICES) {
    if (restart !== 'no') assert.ok(healthy.has(name), `${name} has no health check`);
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const stays = COMPOSE.services[other]?.restart !== 'no';
      assert.equal(condition, stays ? 'service_healthy' : 'service_completed_successfully', `${name} → ${other}`);
    }
  }
});

test('no password is written down, and Grafana knows no account', () => {
  for (const [name, { environment }] of SERVICES) {
    for (const key of Object.keys(environment)) {
      assert.doesNotMatch(key, /(PASSWORD|SECRET|TOKEN)$/, `${name}: ${key} belongs into a file`);
    }
  }
  const grafana = COMPOSE.services.grafana?.environment ?? {};
  assert.equal(grafana.GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION, 'true');
  assert.equal(grafana.GF_AUTH_BASIC_ENABLED, 'false');
  assert.equal(grafana.GF_AUTH_ANONYMOUS_ORG_ROLE, 'Viewer');
});

test('the broker sees the public keys and not the directory of the private ones', () => {
  const sources = (name: string): string[] =>
    (COMPOSE.services[name]?.volumes ?? []).map((volume) => volume.split(':')[0] ?? '');

  assert.deepEqual(sources('broker'), ['org-keys']);
  assert.ok(COMPOSE.services.broker?.volumes.every((volume) => volume.endsWith(':ro')));
  assert.ok(COMPOSE.services.controller?.volumes.includes('org-keys:/var/lib/muster/controller/public'));
});

test('each mounted file and each named volume exists', () => {
  for (const [name, { volumes }] of SERVICES) {
    for (const source of volumes.map((volume) => volume.split(':')[0] ?? '')) {
      if (source.startsWith('.')) assert.ok(existsSync(new URL(source, DOCKER)), `${name}: there is no ${source}`);
      else assert.ok(Object.hasOwn(COMPOSE.volumes, source), `${name}: volume ${source} is not declared`);
    }
  }
});

test('each setting in the environment of a part is a setting of that part', () => {
  const shapes = { AGENT: AgentConfig.shape, BROKER: BrokerConfig.shape, CONTROLLER: ControllerConfig.shape };
  const inImages = DOCKERFILE.flatMap(([keyword, rest]) =>
    keyword === 'ENV' ? [...(rest ?? '').matchAll(/(\w+)=/g)].map(([, name]) => name ?? '') : [],
  );
  const inServices = SERVICES.flatMap(([, { environment }]) => Object.keys(environment));

  for (const name of [...inImages, ...inServices]) {
    const [, part, key] = /^MUSTER_(AGENT|BROKER|CONTROLLER)_(\w+?)(?:_FILE)?$/.exec(name) ?? [];
    if (part !== 'AGENT' && part !== 'BROKER' && part !== 'CONTROLLER') continue;
    const shape = Object.keys(shapes[part]);
    assert.ok(
      shape.includes((key ?? '').toLowerCase()) || shape.includes(`${key?.toLowerCase()}_file`),
      `${name}: there is no such setting`,
    );
  }
});

test('the images run as a user without rights, from one named Node release', () => {
  const bases = DOCKERFILE.flatMap(([keyword, rest]) => (keyword === 'FROM' ? [rest?.split(' AS ')[0]] : []));

  for (const base of bases) assert.match(base ?? '', /^(node:\d+-bookworm-slim|command)$/);
  assert.equal(new Set(bases.filter((base) => base !== 'command')).size, 1);
  for (const name of ['command', 'agent']) {
    assert.deepEqual(
      stages()
        .get(name)
        ?.findLast(([keyword]) => keyword === 'USER'),
      ['USER', 'node'],
    );
  }
  for (const target of ['controller', 'broker', 'agent']) assert.ok(stages().has(target), `no target ${target}`);
});

/** What is not kept from the images' build, as paths from the root of the repository. */
function buildContext(): string[] {
  const ignore = readFileSync(new URL('.dockerignore', ROOT), 'utf8').split('\n');
  assert.ok(ignore.includes('*'), 'the ignore file begins with nothing');
  return ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
}

test('what is copied from the repository is there and not ignored', () => {
  const copied = DOCKERFILE.flatMap(([keyword, rest]) =>
    keyword === 'COPY' && !(rest ?? '').startsWith('--from') ? (rest ?? '').split(' ').slice(0, -1) : [],
  );
  const allowed = buildContext();

  for (const path of copied.filter((each) => each !== '.')) assert.ok(allowed.includes(path), `${path} is ignored`);
  for (const path of allowed) assert.ok(existsSync(new URL(path, ROOT)), `there is no ${path}`);
});

test('what is not ignored is all that the build of the images needs', async (t) => {
  const directory = temporaryDirectory(t);
  for (const path of buildContext()) {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    cpSync(new URL(path, ROOT), join(directory, path), { recursive: true });
  }
  const libraries = fileURLToPath(new URL('node_modules', ROOT));
  mkdirSync(join(directory, 'node_modules'));
  for (const name of readdirSync(libraries).filter((each) => each !== '.bin')) {
    symlinkSync(join(libraries, name), join(directory, 'node_modules', name));
  }

  const { exitCode, stderr } = await runCommand(process.execPath, ['scripts/build.js'], directory);

  assert.equal(exitCode, 0, stderr);
  for (const file of ['cli/main.js', 'agent/muster-agent.cjs', 'dashboard/index.html']) {
    assert.ok(existsSync(join(directory, 'dist', file)), file);
  }
});
