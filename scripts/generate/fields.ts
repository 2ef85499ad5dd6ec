import { ActionName, ExecutionId, Id, Sha256Hex, Thumbprint, Time, Uuid } from '../../protocol/ids.js';
import { code, sentence, table } from './markdown.js';
import { type JsonSchema, jsonSchemaOf } from './schemas.js';

/** Formats that have a word of their own, by their pattern. */
const WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    id: Id,
    'action name': ActionName,
    UUIDv7: ExecutionId,
    UUID: Uuid,
    'SHA-256 hex': Sha256Hex,
    thumbprint: Thumbprint,
    time: Time,
  }).map(([word, schema]) => [jsonSchemaOf(schema).pattern ?? '', word]),
);

/** Sentences that only repeat what the word for the type says. */
const PLAIN_DESCRIPTIONS = new Set(
  [Id, ActionName, ExecutionId, Uuid, Sha256Hex, Thumbprint, Time].map((schema) => jsonSchemaOf(schema).description),
);

/** A table of the members of an object: name, type, whether it must stand, what it is. */
export function fieldTable(schema: JsonSchema): string {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const about = asSchema(member);
    return [code(name), typeOf(about), required.has(name) ? 'yes' : 'no', describe(about)];
  });
  return table(['Member', 'Type', 'Required', 'Meaning'], rows);
}

/** The variant of a union of objects whose `kind` is this. */
export function variantOf(schema: JsonSchema, kind: string): JsonSchema {
  const variants = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].map(asSchema);
  const found = variants.find((each) => asSchema(each.properties?.kind).const === kind);
  if (found === undefined) throw new Error(`there is no variant ${kind}`);
  return found;
}

function asSchema(schema: JsonSchema | boolean | undefined): JsonSchema {
  return typeof schema === 'object' ? schema : {};
}

function describe({ description = '', default: preset }: JsonSchema): string {
  const text = description === '' || PLAIN_DESCRIPTIONS.has(description) ? '' : sentence(description);
  return preset === undefined ? text : `${text} Default ${code(JSON.stringify(preset))}.`.trim();
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(JSON.stringify(value))).join(', ');
  const union = schema.anyOf ?? schema.oneOf;
  if (union !== undefined) return union.map((each) => typeOf(asSchema(each))).join(' or ');
  const word = WORDS.get(schema.pattern ?? '');
  if (word !== undefined) return word;
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(' or ');
  switch (schema.type) {
    case 'array':
      return `array of ${typeOf(asSchema(Array.isArray(schema.items) ? schema.items[0] : schema.items))}${bounds(schema.minItems, schema.maxItems)}`;
    case 'object':
      return objectType(schema);
    case 'integer':
    case 'number':
      return `${schema.type}${bounds(schema.minimum, schema.maximum)}`;
    case 'string':
      return `string${bounds(schema.minLength, schema.maxLength)}`;
    default:
      return typeof schema.type === 'string' ? schema.type : 'any';
  }
}

function objectType(schema: JsonSchema): string {
  const required = new Set(schema.required ?? []);
  const names = Object.keys(schema.properties ?? {});
  if (names.length > 0) return code(`{${names.map((name) => `${name}${required.has(name) ? '' : '?'}`).join(', ')}}`);
  return `map of name to ${typeOf(asSchema(schema.additionalProperties))}`;
}

function bounds(least: number | undefined, most: number | undefined): string {
  const low = least === undefined || least === Number.MIN_SAFE_INTEGER ? undefined : least;
  const high = most === undefined || most === Number.MAX_SAFE_INTEGER ? undefined : most;
  if (low !== undefined && low === high) return ` (${low})`;
  if (low !== undefined && high !== undefined) return ` (${low} to ${high})`;
  if (low !== undefined) return ` (at least ${low})`;
  return high === undefined ? '' : ` (at most ${high})`;
}
