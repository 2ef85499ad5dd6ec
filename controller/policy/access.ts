import { PROTECTED_LABEL } from '../../protocol/containers.js';
import type { Risk } from '../../protocol/messages/capabilities.js';
import type { Labels } from '../../protocol/selectors.js';
import { reaches } from '../identity/roles.js';
import type { Principal, Role } from '../services.js';
import type { AccessRule, PolicyDocument, ProtectionRule } from './document.js';
import { fitsAny } from './glob.js';
import type { ActionKind } from './risks.js';

/** Everybody with this role or a higher one, and the named users. */
type Who = Readonly<{ role?: Role | undefined; users?: readonly string[] | undefined }>;

/** What a policy says of an action on some nodes, whoever asks. */
export type Access = Readonly<{
  mayAsk: (principal: Principal) => boolean;
  mayApprove: (principal: Principal) => boolean;
  /** False: nobody is named who might approve it. */
  isApprovable: boolean;
  /** True: whoever asks may not approve it. */
  isDistinct: boolean;
}>;

/** An action as a policy looks at it. `kinds` are those under which its targets offer it. */
export type Matter = Readonly<{ action: string; kinds: readonly ActionKind[]; risk: Risk }>;

/**
 * Who may ask and who may approve. Where the targets offer the action as different kinds, the rules of each kind have to
 * agree. A policy narrows what a role may do and never widens it: no viewer asks, and only admins and owners approve.
 */
export function accessOf(policy: PolicyDocument, { action, kinds, risk }: Matter): Access {
  const rules = kinds.map((kind) =>
    policy.access.find(
      (rule) => (rule.kind ?? kind) === kind && rule.risks.includes(risk) && fitsAny(rule.actions, action),
    ),
  );
  const askers = rules.map((rule) => rule?.ask);
  const approvers = rules.map((rule) => approversOf(rule, risk));
  return {
    mayAsk: (principal) => mayAsk(principal.role) && askers.every((who) => isAsker(who, principal)),
    mayApprove: (principal) =>
      reaches(principal.role, 'admin') && approvers.every((who) => who !== undefined && isOneOf(who, principal)),
    isApprovable: approvers.every((who) => who !== undefined),
    isDistinct: rules.some((rule) => rule?.distinct_approver ?? (risk === 'danger' || policy.distinct_approver)),
  };
}

/** Whether a role may ask for actions at all. */
export function mayAsk(role: Principal['role']): boolean {
  return role === 'sandbox' || reaches(role, 'operator');
}

/** Who a rule names is a person: what it names somebody for, no sandbox asks for. */
function isAsker(who: Who | undefined, principal: Principal): boolean {
  if (principal.role === 'sandbox') return who === undefined;
  return isOneOf(who ?? { role: 'operator' }, principal);
}

/** The rules that hold beside those of a policy: whoever sets the label means it (C-36, C-39). */
export const SHIPPED_PROTECTION: readonly ProtectionRule[] = [
  { labels: { [PROTECTED_LABEL]: 'true' }, actions: ['container_stop', 'container_restart', 'reboot'], role: 'admin' },
];

/**
 * The role that whoever asks needs for these nodes and containers, the highest when several rules fit; undefined when none
 * is protected.
 */
export function protectionOf(
  policy: PolicyDocument,
  { action, risk }: Pick<Matter, 'action' | 'risk'>,
  targets: readonly Readonly<{ labels: Labels }>[],
): Role | undefined {
  if (risk === 'read') return undefined;
  const rules = [...policy.protected, ...SHIPPED_PROTECTION].filter(
    (rule) => fitsAny(rule.actions, action) && targets.some(({ labels }) => carries(labels, rule.labels)),
  );
  return rules.reduce<Role | undefined>(
    (role, rule) => (role !== undefined && reaches(role, rule.role) ? role : rule.role),
    undefined,
  );
}

function approversOf(rule: AccessRule | undefined, risk: Risk): Who | undefined {
  return rule?.approve ?? (risk === 'danger' ? undefined : { role: 'admin' });
}

function isOneOf({ role, users }: Who, principal: Principal): boolean {
  return (role !== undefined && reaches(principal.role, role)) || users?.includes(principal.id) === true;
}

function carries(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
