import { z } from 'zod';
import { toTime } from '../../../runtime/clock.js';
import type { Action } from '../action.js';
import { printJson } from '../builtins/answers.js';
import { fitting } from '../fitting.js';
import { type ListedContainer, ListedContainers } from './answers.js';
import { clip } from './clip.js';
import { type ContainerHost, endOf } from './host.js';
import { showLabels } from './labels.js';
import { withoutSecrets } from './masked.js';
import { toStatus } from './state.js';

/** Leaves room for what stands around the containers. */
const RESERVE_BYTES = 256;

/** Every container, running or not. */
export const ALL_CONTAINERS = '/containers/json?all=1';

/** What `container_list` prints. */
export const ContainerList = z.object({
  containers: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      image: z.string(),
      state: z.string().describe('`created`, `running`, `paused`, `restarting`, `exited`, `dead`, …'),
      status: z.string().describe('The same for people: `Up 3 hours (healthy)`'),
      created_at: z.iso.datetime().nullable(),
      ports: z.array(z.string()).describe('`80/tcp`, or `0.0.0.0:8080->80/tcp` where it is reached from outside'),
      labels: z.record(z.string(), z.string()).describe('What looks like a secret is `[redacted]`'),
    }),
  ),
  left_out: z.int().describe('Containers that the output does not hold'),
});
export type ContainerList = Readonly<z.infer<typeof ContainerList>>;

/** Lists the containers of the node. */
export function containerList(host: ContainerHost): Action {
  return {
    name: 'container_list',
    description: 'The containers of the node',
    risk: 'read',
    parameters: [
      { name: 'all', type: 'boolean', required: false, default: true, description: 'False: only those that run' },
    ],
    prints: ContainerList,
    run: ({ parameters, output, signal }) =>
      endOf(async () => {
        const path = parameters.get('all') === false ? '/containers/json' : ALL_CONTAINERS;
        const told = await host.engine.get(path, ListedContainers, signal);
        const listed = withoutSecrets(host.mask, ListedContainers, told);
        const { fits, leftOut } = fitting(listed.map(toEntry), host.maxOutputBytes - RESERVE_BYTES);
        printJson<ContainerList>(output, { containers: fits, left_out: leftOut });
        return { kind: 'exited', exitCode: 0 };
      }),
  };
}

/** The name of a container, if any; an engine puts a slash before it, and names made by links have a second one. */
export function listedName({ Names }: ListedContainer): string {
  const names = Names.map((name) => name.replace(/^\//, ''));
  return names.find((name) => !name.includes('/')) ?? names[0] ?? '';
}

function toEntry(listed: ListedContainer): ContainerList['containers'][number] {
  const { Id, Image, State, Status, Created, Ports } = listed;
  return {
    id: Id,
    name: clip(listedName(listed)),
    image: clip(Image ?? ''),
    state: toStatus(State),
    status: clip(Status ?? ''),
    created_at: Created === undefined || Created === null ? null : toTimeOrNull(Created * 1000),
    ports: (Ports ?? []).map(toPort),
    labels: showLabels(listed.Labels),
  };
}

function toPort({ IP, PrivatePort, PublicPort, Type }: NonNullable<ListedContainer['Ports']>[number]): string {
  const inside = `${PrivatePort}/${Type ?? 'tcp'}`;
  return clip(PublicPort === undefined || PublicPort === null ? inside : `${IP ?? ''}:${PublicPort}->${inside}`);
}

function toTimeOrNull(ms: number): string | null {
  return ms <= 8_640_000_000_000_000 ? toTime(ms) : null;
}
