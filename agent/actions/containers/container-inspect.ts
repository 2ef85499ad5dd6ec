import { z } from 'zod';
import type { Action } from '../action.js';
import { printJson } from '../builtins/answers.js';
import type { InspectedContainer } from './answers.js';
import { clip } from './clip.js';
import { CONTAINER_PARAMETER, type ContainerHost, endOf, findContainer, nameOf } from './host.js';
import { showLabels } from './labels.js';
import { isOwn } from './own-container.js';
import { showVariable } from './secrets.js';
import { ContainerState, toMoment, toState } from './state.js';

/** A report shows so many of each kind. */
const MAX_ENTRIES = 200;

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
        const found = await findContainer(host, context);
        printJson<ContainerDetails>(context.output, { ...toDetails(found), is_agent: isOwn(found.Id, host.ownIds) });
        return { kind: 'exited', exitCode: 0 };
      }),
  };
}

function toDetails(found: InspectedContainer): Omit<ContainerDetails, 'is_agent'> {
  const { Config, HostConfig, NetworkSettings, Mounts } = found;
  return {
    id: found.Id,
    name: clip(nameOf(found)),
    image: clip(Config.Image ?? ''),
    image_id: clip(found.Image ?? ''),
    created_at: toMoment(found.Created),
    state: toState(found),
    restart_policy: clip(HostConfig?.RestartPolicy?.Name || 'no'),
    tty: Config.Tty ?? false,
    env: (Config.Env ?? []).slice(0, MAX_ENTRIES).map((each) => clip(showVariable(each))),
    labels: showLabels(Config.Labels),
    mounts: (Mounts ?? []).slice(0, MAX_ENTRIES).map(({ Type, Name, Source, Destination, RW }) => ({
      type: clip(Type ?? ''),
      source: clip(Name || Source || ''),
      destination: clip(Destination),
      read_only: RW === false,
    })),
    ports: portsOf(NetworkSettings?.Ports).slice(0, MAX_ENTRIES),
    networks: Object.keys(NetworkSettings?.Networks ?? {})
      .slice(0, MAX_ENTRIES)
      .map((each) => clip(each)),
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
