import type { Risk } from '../../protocol/messages/capabilities.js';
import type { PolicyDocument, RiskRule } from './document.js';
import { fitsAny } from './glob.js';

const ORDER: readonly Risk[] = ['read', 'write', 'danger'];

/** Under one name a node offers a built-in of ours or a hook of its own; integrations are no nodes. */
export type ActionKind = 'builtin' | 'hook' | 'integration';

/** How an action is offered on some node: as what, and the risk that the node announces. */
export type OfferedRisk = Readonly<{ kind: ActionKind; announced: Risk | undefined }>;

/** The rules that count after those of a policy: our own built-ins that only read. What nobody names is `write`. */
export const SHIPPED_RISKS: readonly RiskRule[] = [
  {
    actions: [
      'gather_info',
      'ping',
      'diagnostics',
      'health_check',
      'logs_tail',
      'service_status',
      'file_fetch',
      'container_list',
      'container_inspect',
      'container_logs',
    ],
    kind: 'builtin',
    risk: 'read',
  },
];

/**
 * The risk of an action over all that offer it: what the policy says of it, raised by what nodes announce. A hook of
 * the same name is not the built-in that the shipped rules mean.
 */
export function riskOf({ risks }: Pick<PolicyDocument, 'risks'>, action: string, offers: readonly OfferedRisk[]): Risk {
  const rules = [...risks, ...SHIPPED_RISKS];
  return offers.reduce<Risk>((risk, { kind, announced }) => {
    const rule = rules.find((each) => (each.kind ?? kind) === kind && fitsAny(each.actions, action));
    return [rule?.risk ?? 'write', announced ?? 'read'].reduce(higher, risk);
  }, 'read');
}

/**
 * The risk of an integration's action, `name` being `integration/action`: what its adapter says, unless the policy says
 * more. Only a rule that is for integrations alone says less: others were written with nodes in mind (C-13, S-A-41).
 */
export function riskOfIntegration({ risks }: Pick<PolicyDocument, 'risks'>, name: string, declared: Risk): Risk {
  const rule = risks.find(({ kind, actions }) => (kind ?? 'integration') === 'integration' && fitsAny(actions, name));
  if (rule === undefined) return declared;
  return rule.kind === 'integration' ? rule.risk : higher(rule.risk, declared);
}

function higher(a: Risk, b: Risk): Risk {
  return ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a;
}
