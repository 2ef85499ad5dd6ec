import { z } from 'zod';
import type { Action } from '../action.js';
import { failed, printJson } from '../builtins/answers.js';
import { fitting } from '../fitting.js';
import { InspectedContainer } from './answers.js';
import { clip } from './clip.js';
import { CONTAINER_PARAMETER, type ContainerHost, endOf, findContainer, nameOf } from './host.js';
import { showLabels } from './labels.js';
import { withoutSecrets } from './masked.js';
import { isOwn } from './own-container.js';
import { showVariable } from './secrets.js';
import { ContainerState, toMoment, toState } from './state.js';

/** A report shows so many of each kind. */
const MAX_ENTRIES = 200;
/** Leaves room for the digits of `left_out`, and the end of the line. */
const RESERVE_BYTES = 32;

/** What `container_inspect` prints. */
export const ContainerDetails = z.object({
  id: z.string(),
  name: z.string(),
  image: z.string().describe('As it was asked for'),
  image_id: z.string().describe('What that was then'),
  created_at: z.string().nullable(),
  state: ContainerState,
  restart_policy: z.string().describe('`no`, `always`, `unless-stopped` or `on-failure`'),
  tty: z.boolean(),
  env: z.array(z.string()).describe('`NAME=value`; what looks like a secret by its name or its value is `[redacted]`'),
  labels: z.record(z.string(), z.string()),
  mounts: z.array(z.object({ type: z.string(), source: z.string(), destination: z.string(), read_only: z.boolean() })),
  ports: z.array(z.string()).describe('`80/tcp`, or `0.0.0.0:8080->80/tcp` where it is reached from outside'),
  networks: z.array(z.string()),
  is_agent: z.boolean().describe('The agent itself runs in it'),
  left_out: z.int().describe('Entries of env, labels, mounts, ports and networks that the output does not hold'),
});
export type ContainerDetails = Readonly<z.infer<typeof ContainerDetails>>;

/** Tells what a container is made of, without its secrets. Its command is left out: those stand there as well. */
export function containerInspect(host: ContainerHost): Action {
  return {
    name: 'container_inspect',
    description: 'State, image, environment, labels, mounts, ports and networks of a container, without its secrets',
    risk: 'read',
    parameters: [CONTAINER_PARAMETER],
    prints: ContainerDetails,
    run: (context) =>
      endOf(async () => {
        const found = withoutSecrets(host.mask, InspectedContainer, await findContainer(host, context));
        const details = fitted({ ...toDetails(found), is_agent: isOwn(found.Id, host.ownIds) }, host.maxOutputBytes);
        if (details === undefined) {
          const limit = `agent.max_output_bytes of this node (${host.maxOutputBytes})`;
          return failed(
            context.output,
            `What there is to say of ${clip(nameOf(found), 64)} does not fit into ${limit}`,
          );
        }
        printJson<ContainerDetails>(context.output, details);
        return { kind: 'exited', exitCode: 0 };
      }),
  };
}

/** So much of it as fits into the output of an action; undefined when not even what is not a list does. */
function fitted(details: ContainerDetails, maxBytes: number): ContainerDetails | undefined {
  const { networks, ports, mounts, labels, env, ...fixed } = details;
  const empty = { ...fixed, networks: [], ports: [], mounts: [], labels: {}, env: [] };
  let roomBytes = maxBytes - RESERVE_BYTES - bytesOf(empty);
  if (roomBytes < 0) return undefined;
  let leftOut = details.left_out;
  const take = <T>(list: readonly T[]): T[] => {
    const { fits, leftOut: more } = fitting(list, roomBytes);
    for (const each of fits) roomBytes -= bytesOf(each) + 1;
    leftOut += more;
    return fits;
  };
  return {
    ...fixed,
    // What is short comes first, so that a long environment does not push it out.
    ...{ networks: take(networks), ports: take(ports), mounts: take(mounts) },
    ...{ labels: Object.fromEntries(take(Object.entries(labels))), env: take(env), left_out: leftOut },
  };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function toDetails(found: InspectedContainer): Omit<ContainerDetails, 'is_agent'> {
  const { Config, HostConfig, NetworkSettings, Mounts } = found;
  const env = Config.Env ?? [];
  const mounts = Mounts ?? [];
  const ports = portsOf(NetworkSettings?.Ports);
  const networks = Object.keys(NetworkSettings?.Networks ?? {});
  const labels = Config.Labels ?? {};
  const counts = [env, mounts, ports, networks, Object.keys(labels)].map(({ length }) => length);
  return {
    id: found.Id,
    name: clip(nameOf(found)),
    image: clip(Config.Image ?? ''),
    image_id: clip(found.Image ?? ''),
    created_at: toMoment(found.Created),
    state: toState(found),
    restart_policy: clip(HostConfig?.RestartPolicy?.Name || 'no'),
    tty: Config.Tty ?? false,
    env: env.slice(0, MAX_ENTRIES).map((each) => clip(showVariable(each))),
    labels: showLabels(labels),
    mounts: mounts.slice(0, MAX_ENTRIES).map(({ Type, Name, Source, Destination, RW }) => ({
      type: clip(Type ?? ''),
      source: clip(Name || Source || ''),
      destination: clip(Destination),
      read_only: RW === false,
    })),
    ports: ports.slice(0, MAX_ENTRIES),
    networks: networks.slice(0, MAX_ENTRIES).map((each) => clip(each)),
    left_out: counts.reduce((sum, count) => sum + Math.max(0, count - MAX_ENTRIES), 0),
  };
}

type Ports = NonNullable<InspectedContainer['NetworkSettings']>['Ports'];

function portsOf(ports: Ports): string[] {
  return Object.entries(ports ?? {}).flatMap(([inside, bindings]) =>
    bindings === null || bindings.length === 0
      ? [clip(inside)]
      : bindings.map(({ HostIp, HostPort }) => clip(`${HostIp ?? ''}:${HostPort ?? ''}->${inside}`)),
  );
}
