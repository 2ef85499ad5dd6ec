/** One query of a panel: PromQL and the text of its legend. */
export type Query = Readonly<{ expr: string; legend: string }>;

/** One panel, without anything that is only Grafana's. `unit` is one of Grafana's unit ids. */
export type PanelSpec = Readonly<{
  kind: 'stat' | 'timeseries' | 'heatmap';
  title: string;
  description: string;
  unit: string;
  /** In 24ths of the dashboard. */
  width: number;
  queries: readonly Query[];
}>;

/** Panels under one heading. */
export type RowSpec = Readonly<{ title: string; panels: readonly PanelSpec[] }>;

/** Every query is held to the parts and machines that are chosen above the panels. */
const SCOPE = 'job=~"$job",instance=~"$instance"';

function series(name: string, matchers = ''): string {
  return `${name}{${SCOPE}${matchers === '' ? '' : `,${matchers}`}}`;
}

function rate(counter: string, matchers = ''): string {
  return `rate(${series(counter, matchers)}[$__rate_interval])`;
}

/** The median and the 95th percentile of a histogram, by these labels. */
function percentiles(histogram: string, labels: readonly string[] = []): Query[] {
  const by = ['le', ...labels].join(', ');
  const legend = labels.map((label) => `{{${label}}} `).join('');
  return [0.5, 0.95].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${by}) (${rate(`${histogram}_bucket`)}))`,
    legend: `${legend}p${quantile * 100}`,
  }));
}

/** The fleet dashboard from top to bottom. */
export const FLEET_ROWS: readonly RowSpec[] = [
  {
    title: 'Now',
    panels: [
      {
        kind: 'stat',
        title: 'Agents connected',
        description: 'Agents that Prometheus scrapes and that are connected to the broker.',
        unit: 'none',
        width: 4,
        queries: [{ expr: `sum(${series('muster_agent_connected')})`, legend: 'connected' }],
      },
      {
        kind: 'stat',
        title: 'Nodes',
        description: 'Enrolled nodes by what the controller last heard of them.',
        unit: 'none',
        width: 8,
        queries: [{ expr: `sum by (state) (${series('muster_controller_nodes')})`, legend: '{{state}}' }],
      },
      {
        kind: 'stat',
        title: 'Executions running',
        description: 'Executions that agents run at this moment.',
        unit: 'none',
        width: 4,
        queries: [{ expr: `sum(${series('muster_agent_executions_active')})`, legend: 'running' }],
      },
      {
        kind: 'stat',
        title: 'Executions open',
        description:
          'Executions without an outcome, as the controller sees them: queued, sent or accepted. Those of batches to come are not counted.',
        unit: 'none',
        width: 4,
        queries: [{ expr: `sum(${series('muster_controller_executions_open', 'status!="held"')})`, legend: 'open' }],
      },
      {
        kind: 'stat',
        title: 'Results without receipt',
        description: 'Results that agents hold until the controller says that it has stored them.',
        unit: 'none',
        width: 4,
        queries: [{ expr: `sum(${series('muster_agent_outbox_results')})`, legend: 'waiting' }],
      },
    ],
  },
  {
    title: 'Agents',
    panels: [
      {
        kind: 'timeseries',
        title: 'Active executions',
        description:
          'Executions that run at the same time, by agent. At agent.max_concurrent further ones are refused.',
        unit: 'none',
        width: 12,
        queries: [{ expr: series('muster_agent_executions_active'), legend: '{{instance}}' }],
      },
      {
        kind: 'timeseries',
        title: 'Outcomes',
        description: 'Ended executions per second by outcome: success, failed, timeout, cancelled or error.',
        unit: 'ops',
        width: 12,
        queries: [{ expr: `sum by (status) (${rate('muster_agent_executions_total')})`, legend: '{{status}}' }],
      },
      {
        kind: 'timeseries',
        title: 'Execution time',
        description: 'Time from the start of an execution to its end on the node, by action.',
        unit: 's',
        width: 12,
        queries: percentiles('muster_agent_execution_duration_seconds', ['action']),
      },
      {
        kind: 'heatmap',
        title: 'Execution time, spread',
        description: 'How many executions took how long on the node, all actions together.',
        unit: 's',
        width: 12,
        queries: [
          {
            expr: `sum by (le) (increase(${series('muster_agent_execution_duration_seconds_bucket')}[$__rate_interval]))`,
            legend: '{{le}}',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Acks',
        description: 'Requests accepted and rejected per second; a rejection shows its reason.',
        unit: 'ops',
        width: 12,
        queries: [
          { expr: `sum(${rate('muster_agent_acks_total', 'status="accepted"')})`, legend: 'accepted' },
          {
            expr: `sum by (reason) (${rate('muster_agent_acks_total', 'status="rejected"')}) > 0`,
            legend: 'rejected: {{reason}}',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Messages refused by agents',
        description: 'Messages that failed verification, schema or audience, per second by code. They get no answer.',
        unit: 'ops',
        width: 12,
        queries: [{ expr: `sum by (code) (${rate('muster_agent_messages_refused_total')}) > 0`, legend: '{{code}}' }],
      },
      {
        kind: 'timeseries',
        title: 'Outbox',
        description:
          'Results without a receipt, by agent. A growing line means that the controller does not store them.',
        unit: 'none',
        width: 12,
        queries: [{ expr: series('muster_agent_outbox_results'), legend: '{{instance}}' }],
      },
      {
        kind: 'timeseries',
        title: 'Connected',
        description: '1 while the agent is connected to the broker, 0 while it tries to be.',
        unit: 'none',
        width: 12,
        queries: [{ expr: series('muster_agent_connected'), legend: '{{instance}}' }],
      },
    ],
  },
  {
    title: 'Controller',
    panels: [
      {
        kind: 'timeseries',
        title: 'Invocations',
        description: 'Invocations per second by action: what people and programs ask for.',
        unit: 'ops',
        width: 12,
        queries: [{ expr: `sum by (action) (${rate('muster_controller_invocations_total')})`, legend: '{{action}}' }],
      },
      {
        kind: 'timeseries',
        title: 'Ends',
        description: 'Executions per second that reached an end in the store, by status: outcomes, rejected, expired.',
        unit: 'ops',
        width: 12,
        queries: [
          { expr: `sum by (status) (${rate('muster_controller_executions_ended_total')})`, legend: '{{status}}' },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Open executions',
        description:
          'Executions without an outcome: queued (not sent yet), sent (no ack yet), accepted (no result yet).',
        unit: 'none',
        width: 8,
        queries: [
          {
            expr: `sum by (status) (${series('muster_controller_executions_open', 'status!="held"')})`,
            legend: '{{status}}',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Held for later batches',
        description:
          'Executions of rollouts whose batch has not begun. A line that stays level waits for a node, a pause or a person.',
        unit: 'none',
        width: 8,
        queries: [{ expr: `sum(${series('muster_controller_executions_open', 'status="held"')})`, legend: 'held' }],
      },
      {
        kind: 'timeseries',
        title: 'Messages refused by the controller',
        description: 'Messages of nodes that were not believed, per second by code.',
        unit: 'ops',
        width: 8,
        queries: [
          { expr: `sum by (code) (${rate('muster_controller_messages_refused_total')}) > 0`, legend: '{{code}}' },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Time to ack',
        description: 'Time from the first offer of a request to the ack of its node.',
        unit: 's',
        width: 12,
        queries: percentiles('muster_controller_ack_latency_seconds'),
      },
      {
        kind: 'timeseries',
        title: 'Time to result',
        description: 'Time from the first offer of a request to the stored result.',
        unit: 's',
        width: 12,
        queries: percentiles('muster_controller_execution_latency_seconds'),
      },
    ],
  },
  {
    title: 'Broker',
    panels: [
      {
        kind: 'timeseries',
        title: 'Clients',
        description: 'Connections of agents, controllers and monitors.',
        unit: 'none',
        width: 8,
        queries: [{ expr: series('muster_broker_clients'), legend: '{{instance}}' }],
      },
      {
        kind: 'timeseries',
        title: 'Messages',
        description: 'Publishes that the broker received and delivered, per second.',
        unit: 'ops',
        width: 8,
        queries: [{ expr: `sum by (direction) (${rate('muster_broker_messages_total')})`, legend: '{{direction}}' }],
      },
      {
        kind: 'timeseries',
        title: 'Denials',
        description:
          'Connections, publishes, subscriptions and deliveries that the broker denied, per second by reason.',
        unit: 'ops',
        width: 8,
        queries: [{ expr: `sum by (reason) (${rate('muster_broker_denied_total')}) > 0`, legend: '{{reason}}' }],
      },
    ],
  },
];
