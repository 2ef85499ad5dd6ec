import { z } from 'zod';

/** Nothing that an engine shows has more members: each that is no member of its kind costs the memory of a complaint. */
const MAX_MEMBERS = 10_000;

/** A list or record that is not looked into when it has too many members. */
function bounded<S extends z.ZodType>(schema: S) {
  return z.preprocess((value, context) => {
    if (sizeOf(value) <= MAX_MEMBERS) return value;
    context.addIssue(`more than ${MAX_MEMBERS} members`);
    return z.NEVER;
  }, schema);
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
}

/** What an engine may say in one word or line; more of it is cut where it is shown. */
const Word = z.string();
const Text = z.string().nullish().catch(undefined);
const Count = z.int().min(0).nullish().catch(undefined);
const Labels = bounded(z.record(z.string(), z.string())).nullish().catch(undefined);
const ContainerId = z.string().regex(/^[0-9a-f]{64}$/);

/** One container in `GET /containers/json`, the part that Docker and Podman share. */
export const ListedContainer = z.object({
  Id: ContainerId,
  Names: bounded(z.array(Word)).catch([]).describe('None while it is being removed, or when that has failed'),
  Image: Text,
  State: Word,
  Status: Text,
  Created: Count.describe('Seconds since 1970'),
  Labels,
  Ports: bounded(z.array(z.object({ IP: Text, PrivatePort: z.int(), PublicPort: Count, Type: Text })))
    .nullish()
    .catch(undefined),
});
export type ListedContainer = Readonly<z.infer<typeof ListedContainer>>;

/** `GET /containers/json`. */
export const ListedContainers = bounded(z.array(ListedContainer));

/** `GET /containers/{id}/json`, the part that Docker and Podman share. */
export const InspectedContainer = z.object({
  Id: ContainerId,
  Name: Word,
  Created: Text,
  Image: Text,
  RestartCount: Count,
  State: z.object({
    Status: Word,
    ExitCode: z.int().nullish().catch(undefined),
    StartedAt: Text,
    FinishedAt: Text,
    OOMKilled: z.boolean().nullish().catch(undefined),
    Error: Text,
    Health: z.object({ Status: Text }).nullish().catch(undefined),
  }),
  Config: z.object({
    Image: Text,
    Tty: z.boolean().nullish().catch(undefined),
    Env: bounded(z.array(z.string())).nullish().catch(undefined),
    Labels,
  }),
  HostConfig: z
    .object({ RestartPolicy: z.object({ Name: Text }).nullish() })
    .nullish()
    .catch(undefined),
  Mounts: bounded(
    z.array(z.object({ Type: Text, Name: Text, Source: Text, Destination: Word, RW: z.boolean().nullish() })),
  )
    .nullish()
    .catch(undefined),
  NetworkSettings: z
    .object({
      Ports: bounded(z.record(z.string(), bounded(z.array(z.object({ HostIp: Text, HostPort: Text }))).nullable()))
        .nullish()
        .catch(undefined),
      Networks: bounded(z.record(z.string(), z.unknown())).nullish().catch(undefined),
    })
    .nullish()
    .catch(undefined),
});
export type InspectedContainer = Readonly<z.infer<typeof InspectedContainer>>;

/** One line of `GET /events`; Podman says `status` where older Dockers do. */
export const EngineEvent = z.object({ Type: Text, Action: Text, status: Text });
