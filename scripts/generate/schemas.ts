import { z } from 'zod';
import type { EnvelopeType } from '../../protocol/envelope.js';
import { Metrics } from '../../protocol/messages/metrics.js';
import { Status } from '../../protocol/messages/status.js';
import { ENVELOPE_SCHEMAS } from '../../protocol/messages.js';

/** A JSON Schema as zod writes it, as far as the documents look into it. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The name of a message: its `typ`, or its topic when it is plain JSON. */
export type MessageName = EnvelopeType | 'status' | 'metrics';

/** The `typ` of the broker password ends in +jwt, which no file name should. */
const FILE_NAMES = { 'muster-broker+jwt': 'muster-broker-jwt' } as const;

const SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  ...Object.entries(ENVELOPE_SCHEMAS).map(([typ, schema]): [string, z.ZodType] => [fileNameOf(typ), schema]),
  ['status', Status],
  ['metrics', Metrics],
]);

/** One per message, safe as file name and as key of an AsyncAPI component. */
export const MESSAGE_NAMES: readonly string[] = [...SCHEMAS.keys()];

/** The name under which the schema of this `typ` or plain message is found. */
export function fileNameOf(name: string): string {
  return name === 'muster-broker+jwt' ? FILE_NAMES[name] : name;
}

/** JSON Schema (draft 07, which AsyncAPI speaks) of a message's payload as a sender writes it. */
export function messageSchema(name: string): JsonSchema {
  const schema = SCHEMAS.get(name);
  if (schema === undefined) throw new Error(`there is no message ${name}`);
  return { title: name, ...jsonSchemaOf(schema) };
}

/** JSON Schema of any schema, as input. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-07',
    io: 'input',
    override: ({ jsonSchema }) => {
      // The calendar is 300 characters of regular expression; format and the Z say it to a reader.
      if (jsonSchema.format === 'date-time') jsonSchema.pattern = 'Z$';
    },
  });
}
