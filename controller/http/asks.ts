import { AskIntegration } from './integration-schemas.js';
import { type AnyAsk, CreateInvocation } from './schemas.js';
import { faultsOf, RequestFault } from './validation.js';

/** What only an ask of nodes may say. */
const FOR_NODES = ['timeout', 'expires_in', 'spread', 'batch'] as const;

/** An ask as one of nodes, or as one of an integration. @throws {RequestFault} */
export function splitAsk(
  ask: AnyAsk,
): Readonly<{ kind: 'nodes'; ask: CreateInvocation }> | Readonly<{ kind: 'integration'; ask: AskIntegration }> {
  if ('integration' in ask.target) return { kind: 'integration', ask: toIntegrationAsk(ask) };
  const parsed = CreateInvocation.safeParse(ask, { reportInput: true });
  if (parsed.success) return { kind: 'nodes', ask: parsed.data };
  throw new RequestFault(faultsOf(parsed.error.issues, 'body'));
}

function toIntegrationAsk({ action, target, parameters, reason, confirm, digest, ...rest }: AnyAsk): AskIntegration {
  const alien = FOR_NODES.find((name) => rest[name] !== undefined) ?? (rest.stream ? 'stream' : undefined);
  if (alien !== undefined) {
    const detail = `${alien}: is for nodes, and the action of an integration has none`;
    throw new RequestFault([{ pointer: `/${alien}`, detail }]);
  }
  return AskIntegration.parse({ action, target, parameters, reason, confirm, digest });
}
