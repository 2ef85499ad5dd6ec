import type { z } from 'zod';
import { SHIPPED_PROTECTION } from '../../controller/policy/access.js';
import {
  AccessRule,
  PolicyDocument,
  ProtectionRule,
  RiskRule,
  SHIPPED_POLICY,
} from '../../controller/policy/document.js';
import { SHIPPED_RISKS } from '../../controller/policy/risks.js';
import { writeYaml } from '../../runtime/yaml-document.js';
import { fieldTable } from './fields.js';
import { generatedNote } from './markdown.js';
import { jsonSchemaOf } from './schemas.js';

const EXAMPLE = `v: 1
risks:
  - {actions: [logs-*], kind: hook, risk: read}
  - {actions: [factory-reset], risk: danger}
access:
  - {actions: [deploy-*], ask: {role: admin}, distinct_approver: true}
  - {actions: [factory-reset], risks: [danger], approve: {role: owner}}
protected:
  - {labels: {protected: "true"}, actions: [reboot, service_restart]}
limits:
  asks_per_minute: 60`;

/** docs/reference/policy.md: what a policy may say, and what is in force without one. */
export function policyPage(): string {
  return [
    generatedNote('controller/policy/'),
    '# Policy\n',
    'A policy says what actions may do, who may ask for them, who approves them, which nodes and containers need a reason, and how much is refused. Owners replace it with `muster policy set FILE` or `PUT /api/v1/policy`; or it stands in the file that `controller.policy_file` names, and then only there. It is in force at once, for what waits for approval as well.\n',
    `\`\`\`yaml\n${EXAMPLE}\n\`\`\`\n`,
    'Here hooks whose names begin with `logs-` run at once, `factory-reset` is denied unless an owner approves it who has not asked for it, only admins ask for a deployment and another one approves it, protected nodes are rebooted by admins who say why, and nobody asks more than 60 times a minute.\n',
    '## Members\n',
    `${fieldTable(jsonSchemaOf(PolicyDocument))}\n`,
    'Of `risks` and of `access` the first rule that fits counts. In patterns of action names `*` stands for any characters or none and `?` for one; YAML wants quotes around what begins with a star. A policy narrows what a role may do and never widens it: viewers do not ask, and only admins and owners approve.\n',
    ...section(
      'A rule of risks',
      RiskRule,
      'The highest risk over all targets counts. What a node announces of an action may raise its risk and never lowers it.',
    ),
    ...section(
      'A rule of access',
      AccessRule,
      "In `ask` and `approve`, `role` stands for everybody with at least this role, and `users` are named beside them, or alone. An owner's ask for a write approves itself, and an admin's when it is confirmed, if they are among those who may approve it and no distinct approver is wanted; a `danger` has to be confirmed by owners, too.",
    ),
    ...section('A rule of protected', ProtectionRule, 'Several that fit all hold. What only reads is not protected.'),
    ...section(
      'Limits',
      PolicyDocument.shape.limits.unwrap(),
      'Past a limit the answer is 429 with `Retry-After`. The limits count what is stored, so a restart forgives nothing and controllers on one database count together.',
    ),
    '## As shipped\n',
    `\`\`\`yaml\n${writeYaml(SHIPPED_POLICY)}\`\`\`\n`,
    'After the `risks` of a policy these count, and what none names is a `write`:\n',
    `\`\`\`yaml\n${writeYaml({ risks: SHIPPED_RISKS })}\`\`\`\n`,
    'And beside the `protected` of a policy this holds in any case: a container is given the label by whoever starts it, a node by whoever enrolls it or with `muster node label`.\n',
    `\`\`\`yaml\n${writeYaml({ protected: SHIPPED_PROTECTION })}\`\`\`\n`,
  ].join('\n');
}

function section(title: string, schema: z.ZodType, note: string): string[] {
  return [`## ${title}\n`, `${fieldTable(jsonSchemaOf(schema))}\n`, `${note}\n`];
}
