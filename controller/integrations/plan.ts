import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { Risk } from '../../protocol/messages/capabilities.js';
import type { AskIntegration } from '../http/integration-schemas.js';
import { AnyParameters } from '../http/target-schemas.js';
import { faultsOf } from '../http/validation.js';
import type { Question } from '../policy/decide.js';
import type { PolicyDocument } from '../policy/document.js';
import { riskOfIntegration } from '../policy/risks.js';
import type { Reach } from '../sandboxes/reach.js';
import type { IntegrationRow } from '../store/integrations.js';
import type { ActionDefinition } from './action.js';
import { type Adapters, actionOf } from './adapter.js';

/** What an ask comes to, before anything is stored. */
export type ActionPlan = Readonly<{
  integration: IntegrationRow;
  risk: Risk;
  /** SHA-256 of everything that decides what would be done: an approval names it. */
  digest: string;
  question: Question;
}>;

/**
 * Holds an ask against the integration that it names; undefined stands for one that is not there (S-A-6).
 * Of what a sandbox is not connected to it learns nothing more, not even what it takes.
 * @throws {MusterError} unknown_integration, unknown_action, outside_sandbox, missing_required_parameter,
 *   invalid_parameter
 */
export function planAction(
  { adapters, policy, reach }: Readonly<{ adapters: Adapters; policy: PolicyDocument; reach?: Reach | undefined }>,
  integration: IntegrationRow | undefined,
  ask: AskIntegration,
): ActionPlan {
  const { integration: name } = ask.target;
  const adapter = integration?.status === 'active' ? adapters.get(integration.adapter) : undefined;
  if (integration === undefined || adapter === undefined) {
    throw new MusterError('unknown_integration', `There is no active integration ${name}`);
  }
  const action = actionOf({ integration: name, actions: adapter.actions }, ask.action);
  if (reach?.mayAskOf(integration.id, ask.action) === false) {
    throw new MusterError('outside_sandbox', `The sandbox is not connected to ${policyNameOf(ask)}`);
  }
  refuseTooMuch(ask);
  action.check(ask.parameters);
  const risk = riskOfIntegration(policy, policyNameOf(ask), action.risk);
  return {
    integration,
    risk,
    digest: digestOf(integration, action, ask),
    question: { ...questionOf(ask, risk, integration.id), definitions: () => [definitionOf(integration, action)] },
  };
}

/** Whatever way the ask came: what is stored has to be readable for ever. @throws {MusterError} invalid_parameter */
function refuseTooMuch({ action, parameters }: AskIntegration): void {
  const parsed = AnyParameters.safeParse(parameters, { reportInput: true });
  if (parsed.success) return;
  const [fault] = faultsOf(parsed.error.issues, 'parameters');
  throw new MusterError('invalid_parameter', `${action}: ${fault?.detail ?? 'the parameters do not fit'}`);
}

/** `integration/action`, as policies and people name it. */
export function policyNameOf({ target, action }: Pick<AskIntegration, 'target' | 'action'>): string {
  return `${target.integration}/${action}`;
}

/** What the policy has to say yes or no to. */
export function questionOf(ask: AskIntegration, risk: Risk, integration: string | null): Question {
  const { reason, confirm: confirmed } = ask;
  return { action: policyNameOf(ask), kinds: ['integration'], risk, nodes: [], integration, reason, confirmed };
}

/** SHA-256 of what stands behind the name of an action: all that decides what would be done but the parameters. */
export function definitionOf(
  { id, name, adapter, base_url, provider, settings }: IntegrationRow,
  action: Pick<ActionDefinition, 'name' | 'fingerprint'>,
): string {
  return sha256Hex(JSON.stringify([id, name, adapter, base_url, provider, settings, action.name, action.fingerprint]));
}

/** SHA-256 of all that decides what would be done. */
export function digestOf(
  { id, name, adapter, base_url, provider, settings }: IntegrationRow,
  { fingerprint }: ActionDefinition,
  { action, parameters }: Pick<AskIntegration, 'action' | 'parameters'>,
): string {
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256Hex(JSON.stringify([id, name, adapter, base_url, provider, settings, action, fingerprint, sorted]));
}
