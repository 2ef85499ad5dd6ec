import { z } from 'zod';
import { PositiveDuration, parseDuration } from '../protocol/durations.js';
import { DEFAULT_MAX_PACKET_BYTES } from '../protocol/envelope.js';
import { Id } from '../protocol/ids.js';
import { DEFAULT_PREFIX } from '../protocol/topics.js';
import { LOG_LEVELS } from '../runtime/logger.js';
import { OidcSettings, PublicUrl } from './sign-in/settings.js';

const MAX_INTEGRATION_MS = 300_000;

const BrokerUrl = z.url({ protocol: /^(mqtts?|wss?)$/ }).max(512);

/** The controller's settings. docs/reference/configuration.md is generated from the descriptions. */
export const ControllerConfig = z.strictObject({
  host: z.string().max(255).default('127.0.0.1').describe('Address that the REST API listens on'),
  port: z.int().min(0).max(65_535).default(8080).describe('Port of the REST API; 0 takes a free one'),
  max_http_connections: z
    .int()
    .min(10)
    .max(1_000_000)
    .default(10_000)
    .describe('Open connections to the REST API; further clients are cut off'),
  data_dir: z
    .string()
    .min(1)
    .max(4096)
    .default('./.muster/controller')
    .describe('Directory of the keys and the store; one controller uses it at a time'),
  store_url: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://')
    .max(4096)
    .optional()
    .describe('PostgreSQL database of the store, postgres://USER:PASSWORD@HOST/NAME; a file in data_dir when absent'),
  peer_url: z
    .url({ protocol: /^https?$/ })
    .max(512)
    .optional()
    .describe('With store_url: where the other controllers on the store reach this one; its host and port when absent'),
  org: Id.default('default').describe('The organisation; a topic level'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,63}\/[A-Za-z0-9_-]{1,63}$/)
    .default(DEFAULT_PREFIX)
    .describe('The two topic levels before the org'),
  broker_url: BrokerUrl.default('mqtt://127.0.0.1:1883').describe('Where the controller reaches the broker'),
  public_broker_url: BrokerUrl.optional().describe('Where nodes reach the broker; broker_url when absent'),
  broker_ca_file: z
    .string()
    .max(4096)
    .optional()
    .describe('PEM file of the CA of the broker; also handed to nodes when they enroll'),
  broker_username: z
    .string()
    .max(256)
    .optional()
    .describe('For brokers that do not check our passwords; the client id when absent'),
  broker_password: z
    .string()
    .max(4096)
    .optional()
    .describe('For brokers that do not check our passwords; a signed token when absent'),
  instance: Id.max(40)
    .optional()
    .describe('Name of this controller in its client id ctl-…; made at random once when absent'),
  keep_alive: z.int().min(5).max(1200).default(30).describe('MQTT keep-alive in seconds'),
  max_packet_bytes: z
    .int()
    .min(16 * 1024)
    .max(16 * 1024 * 1024)
    .default(DEFAULT_MAX_PACKET_BYTES)
    .describe('The largest message in bytes'),
  max_open_per_node: z.int().min(1).max(100_000).default(1000).describe('Open executions per node; more are refused'),
  max_open: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(500_000)
    .describe('Open executions on all nodes; more are refused, since each is held in memory'),
  default_expires_in: PositiveDuration.default('24h').describe('How long an action may wait for its node'),
  policy_file: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe(
      'YAML file with the policy, read at the start, when it changes and on SIGHUP; the policy cannot be changed elsewhere then',
    ),
  webhooks_file: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('YAML file with the webhooks that are told of approvals, ends and nodes that go; read at the start'),
  integrations_file: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe(
      'YAML file with adapters of your own for integrations, read at the start, when it changes and on SIGHUP; see docs/extend.md',
    ),
  integration_timeout: PositiveDuration.refine(
    (text) => (parseDuration(text) ?? 0) <= MAX_INTEGRATION_MS,
    'must be at most 5m',
  )
    .default('30s')
    .describe('How long a call of an integration may take, at most 5m'),
  integrations_allow_http: z
    .boolean()
    .default(false)
    .describe('True: credentials of integrations may also go to http addresses that are not on this machine'),
  mcp: z
    .boolean()
    .default(false)
    .describe('True: AI agents may ask at POST /mcp, with the token of a sandbox or an operator'),
  mcp_hosts: z
    .array(z.string().regex(/^[a-z0-9.-]{1,253}$/, 'must be a host name in lower case'))
    .max(32)
    .default([])
    .describe('Names of this controller in the Host of calls to /mcp, beside localhost and addresses'),
  public_url: PublicUrl.optional().describe(
    "Where people's browsers reach the controller: scheme and host; needed for controller.oidc",
  ),
  oidc: OidcSettings.optional().describe('Sign-in by OpenID Connect; off when absent, see docs/operate.md'),
  max_event_streams: z
    .int()
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Open event streams; more are refused. One user may have a quarter of them'),
  events_kept: z
    .int()
    .min(1_000)
    .max(10_000_000)
    .default(100_000)
    .describe('How many events are kept for streams that come back'),
  events_kept_for: PositiveDuration.default('24h').describe('How long events are kept for streams that come back'),
  retention_age: PositiveDuration.default('2160h').describe(
    'How long ended invocations are kept, with their executions, results and output',
  ),
  retention_count: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(1_000_000)
    .describe('How many invocations are kept; beyond it the oldest go that have ended and whose nodes are done'),
  audit_retention_age: PositiveDuration.default('8784h').describe(
    'How long rows of the audit trail are kept; what is left stays verifiable',
  ),
  secrets_file: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe(
      'Values that are masked beside the credentials of integrations and webhooks: a file with lines `name: value`, or a directory with one value in each file, 0600; read at the start and when it changes',
    ),
  log_level: z.enum(LOG_LEVELS).default('info').describe('The least level that is logged'),
});
export type ControllerConfig = Readonly<z.infer<typeof ControllerConfig>>;
