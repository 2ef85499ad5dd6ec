import { z } from 'zod';
import type { Clock } from '../../../runtime/clock.js';
import type { Action } from '../action.js';
import type { DiskReader } from '../system/disks.js';
import { type Reached, reachHttp, reachName, reachTcp } from '../system/reach.js';
import type { Tools } from '../system/tool.js';
import { showUnits, toUnit } from '../system/units.js';
import { unlessAborted } from '../waiting.js';
import { invalidParameter, notAllowed, printJson } from './answers.js';

const ANSWER_MS = 5_000;
const DEFAULT_DISK_PERCENT = 90;

/** What `health_check` prints. */
export const HealthCheck = z.object({
  ok: z.boolean().describe('Every check is'),
  checks: z.array(
    z.object({
      name: z
        .string()
        .describe('`broker`, `controller`, `disk DIRECTORY`, `service UNIT`, or the target as it is listed'),
      ok: z.boolean(),
      latency_ms: z.number().nullable().describe('Null where nothing had to answer'),
      detail: z.string(),
    }),
  ),
});
export type HealthCheck = Readonly<z.infer<typeof HealthCheck>>;
type Check = HealthCheck['checks'][number];

/** What `health_check` is made with. */
export type HealthSources = Readonly<{
  /** URLs of the node's own broker and controller. */
  endpoints: Readonly<{ broker: string; controller: string | undefined }>;
  /** `agent.health_targets`. */
  targets: readonly string[];
  /** `agent.services`. */
  services: readonly string[];
  disks: DiskReader;
  tools: Tools;
  clock: Clock;
}>;

type Asked = Readonly<{ diskPercent: number; status: number | undefined; signal: AbortSignal }>;

/** Something that can be checked; what it is called is what the parameter `target` names. */
type Subject = Readonly<{ name: string; run: (asked: Asked) => Promise<Check[]> }>;

/**
 * Checks what the node needs: its broker, its controller, room on its disks, its services, and what its owner has
 * listed. It connects to nothing else, whoever asks.
 */
export function healthCheck(sources: HealthSources): Action {
  const subjects = subjectsOf(sources);
  return {
    name: 'health_check',
    description: 'Broker, controller, disks, services and agent.health_targets: exit code 1 when one is not well',
    risk: 'read',
    parameters: [
      {
        name: 'target',
        type: 'string',
        required: false,
        description: 'Only broker, controller, disk, services, or an entry of agent.health_targets',
      },
      {
        name: 'status',
        type: 'integer',
        required: false,
        description: 'What a target over HTTP has to answer; any of 200 to 299 when left out',
      },
      {
        name: 'disk_percent',
        type: 'number',
        required: false,
        default: DEFAULT_DISK_PERCENT,
        description: 'A disk that is fuller is not well',
      },
    ],
    prints: HealthCheck,
    async run({ parameters, output, signal }) {
      const target = String(parameters.get('target') ?? '');
      const chosen = target === '' ? subjects : subjects.filter(({ name }) => name === target);
      if (chosen.length === 0)
        return notAllowed(`the target ${target}`, target === 'services' ? 'services' : 'health_targets');
      const status = parameters.get('status') === undefined ? undefined : Number(parameters.get('status'));
      if (status !== undefined && !/^https?:/.test(target)) {
        return invalidParameter('parameter status goes with a target over HTTP');
      }
      const diskPercent = Number(parameters.get('disk_percent') ?? DEFAULT_DISK_PERCENT);
      const checks = (await Promise.all(chosen.map(({ run }) => run({ diskPercent, status, signal })))).flat();
      signal.throwIfAborted();
      const ok = checks.every((check) => check.ok);
      printJson<HealthCheck>(output, { ok, checks });
      return { kind: 'exited', exitCode: ok ? 0 : 1 };
    },
  };
}

function subjectsOf({ endpoints, targets, services, disks, tools, clock }: HealthSources): Subject[] {
  const { broker, controller } = endpoints;
  const over = (name: string, reach: (asked: Asked) => Promise<Reached>): Subject => ({
    name,
    run: async (asked) => [await timed(name, { reach, clock }, asked)],
  });
  return [
    over('broker', ({ signal }) => reachTcp(new URL(broker), signal)),
    ...(controller === undefined
      ? []
      : [over('controller', ({ signal }) => reachHttp(new URL('/healthz', controller), undefined, signal))]),
    { name: 'disk', run: ({ diskPercent }) => checkDisks(disks, diskPercent) },
    ...(services.length === 0
      ? []
      : [{ name: 'services', run: ({ signal }: Asked) => checkServices(services, tools, signal) }]),
    ...targets.map((target) => over(target, (asked) => reachTarget(new URL(target), asked))),
  ];
}

async function reachTarget(url: URL, { status, signal }: Asked): Promise<Reached> {
  if (url.protocol === 'tcp:') return reachTcp(url, signal);
  return url.protocol === 'dns:' ? reachName(url, signal) : reachHttp(url, status, signal);
}

async function timed(
  name: string,
  { reach, clock }: { reach: (asked: Asked) => Promise<Reached>; clock: Clock },
  asked: Asked,
): Promise<Check> {
  const startMs = clock.monotonicMs();
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(ANSWER_MS)]);
  const reached = (await unlessAborted(reach({ ...asked, signal }), signal)) ?? {
    ok: false,
    detail: 'no answer in time',
  };
  return { name, latency_ms: Math.round((clock.monotonicMs() - startMs) * 10) / 10, ...reached };
}

async function checkDisks(disks: DiskReader, most: number): Promise<Check[]> {
  return (await disks.read()).map(({ directory, used_percent, fault }) => ({
    name: `disk ${directory}`,
    ok: used_percent !== null && used_percent <= most,
    latency_ms: null,
    detail: used_percent === null ? (fault ?? 'tells no size') : `${used_percent} % used`,
  }));
}

async function checkServices(services: readonly string[], tools: Tools, signal: AbortSignal): Promise<Check[]> {
  const shown = await showUnits(services.map(toUnit), tools, signal);
  if (shown.kind === 'failed') {
    const detail = shown.end.kind === 'error' ? shown.end.message : 'systemd was not asked';
    return [{ name: 'services', ok: false, latency_ms: null, detail }];
  }
  return shown.units.map(({ state }) => ({
    name: `service ${state.service}`,
    ok: state.active_state === 'active',
    latency_ms: null,
    detail: `${state.active_state} (${state.sub_state})`,
  }));
}
