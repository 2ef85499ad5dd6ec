import { createAgentMetrics } from '../../agent/metrics.js';
import { createBrokerMetrics } from '../../broker/metrics.js';
import { createControllerMetrics } from '../../controller/metrics.js';
import { Risk } from '../../protocol/messages/capabilities.js';
import { code, codes, generatedNote, sentence, table } from './markdown.js';

/** One metric as its exposition declares it; `labels` is by name, with every value that it has at the start. */
type Metric = { name: string; help: string; type: string; labels: Map<string, Set<string>> };

/** Longer lists of values stand on the page of the error codes. */
const MAX_SHOWN_VALUES = 24;

/** What the policy can make of a new invocation. */
const MADE_IN = ['approved', 'pending', 'denied'] as const;

/** docs/reference/metrics.md, from what each part exposes when it has done one of everything. */
export async function metricsPage(): Promise<string> {
  const parts = [
    ['Agent', 'Port 9464 (`agent.metrics_port`).', await agentExposition()],
    ['Controller', 'Port 8080 (`controller.port`), path `/metrics`.', await controllerExposition()],
    ['Broker', 'Port 9465 (`broker.metrics_port`).', await brokerExposition()],
  ] as const;
  return [
    generatedNote("the parts' metrics.ts"),
    '# Metrics\n',
    'Each part serves the Prometheus text format on `/metrics`. Base units are seconds and bytes; counters end in `_total`; known label values start at 0. Labels are closed sets: an action that a node does not offer counts as `other`, and no node or execution id is a label.\n',
    ...parts.map(([title, where, text]) => `## ${title}\n\n${where}\n\n${metricTable(parseExposition(text))}\n`),
  ].join('\n');
}

/** The declarations in a text in Prometheus' format, in its order. */
export function parseExposition(text: string): Metric[] {
  const metrics: Metric[] = [];
  for (const line of text.split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') metrics.push({ name, help: rest, type: '', labels: new Map() });
    const current = metrics.at(-1);
    if (current === undefined) continue;
    if (keyword === 'TYPE') current.type = rest;
    if (keyword === undefined) addLabels(current.labels, line);
  }
  return metrics;
}

function addLabels(labels: Metric['labels'], line: string): void {
  const inside = /\{(.*)\}/.exec(line)?.[1] ?? '';
  for (const [, name = '', value = ''] of inside.matchAll(/(\w+)="([^"]*)"/g)) {
    if (name === 'le') continue;
    const values = labels.get(name) ?? new Set();
    labels.set(name, values.add(value));
  }
}

function metricTable(metrics: readonly Metric[]): string {
  const rows = metrics.map(({ name, help, type, labels }) => [
    code(name),
    type,
    [...labels].map(([label, values]) => `${code(label)}${valuesOf(label, values)}`).join('; '),
    sentence(help),
  ]);
  return table(['Metric', 'Type', 'Labels', 'Meaning'], rows);
}

function valuesOf(label: string, values: ReadonlySet<string>): string {
  if (label === 'code') return ': the [codes of messages that are not believed](errors.md)';
  if (label.endsWith('version')) return '';
  const named = [...values].filter((value) => value !== '');
  if (label === 'action') return ': what is offered, or `other`';
  return named.length > MAX_SHOWN_VALUES ? '' : `: ${codes(named)}`;
}

async function agentExposition(): Promise<string> {
  const metrics = createAgentMetrics();
  metrics.started();
  metrics.ended('other', 'success', 1);
  return metrics.registry.metrics();
}

async function controllerExposition(): Promise<string> {
  const metrics = createControllerMetrics({
    openByStatus: () => ({ held: 0, queued: 0, sent: 0, accepted: 0 }),
    nodes: () => ({ online: 0, offline: 0 }),
    brokerConnected: () => false,
    suspended: () => false,
    approvalsPending: async () => 0,
    grantsActive: async () => 0,
  });
  for (const risk of Risk.options) {
    for (const status of MADE_IN) metrics.invocationMade({ action: 'other', risk, status });
  }
  return (await metrics.render()).body;
}

async function brokerExposition(): Promise<string> {
  return (await createBrokerMetrics({ clients: () => 0 }).render()).body;
}
