import { z } from 'zod';
import { DurationText, PositiveDuration, parseDuration } from '../protocol/durations.js';
import { DEFAULT_MAX_PACKET_BYTES } from '../protocol/envelope.js';
import { Id } from '../protocol/ids.js';
import { MAX_CHUNKS } from '../protocol/messages/output.js';
import { LOG_LEVELS } from '../runtime/logger.js';
import { ACTIONS_DEFAULTS, actionsFaults, ISOLATION_LIMITS } from './actions-config.js';
import { BUILTIN_SETTINGS } from './builtins-config.js';
import { mostChunks } from './executor/output-messages.js';

const MAX_TIMER_MS = 500 * 3_600_000;

/** A timer holds at most 2^31 ms, and fires at once past that. */
const fitsTimer = (text: string): boolean => (parseDuration(text) ?? 0) <= MAX_TIMER_MS;
const Interval = PositiveDuration.refine(fitsTimer, 'must be at most 500h');

/** The agent's settings. docs/reference/configuration.md is generated from the descriptions. */
export const AgentConfig = z
  .strictObject({
    enabled: z
      .boolean()
      .default(ACTIONS_DEFAULTS.enabled)
      .describe('False: every request is answered actions_disabled'),
    hooks_dir: z.string().max(4096).default('').describe('Directory of the hook scripts; none when empty'),
    max_concurrent: z
      .int()
      .max(10_000)
      .default(ACTIONS_DEFAULTS.maxConcurrent)
      .describe('Actions that run at the same time, at least 1; more are refused with max_concurrent_reached'),
    max_action_timeout: DurationText.refine(fitsTimer, 'must be at most 500h')
      .default('10m')
      .describe('The longest that one action may run, at least 10s'),
    max_output_bytes: z
      .int()
      .max(64 * 1024 * 1024)
      .default(ACTIONS_DEFAULTS.maxOutputBytes)
      .describe('Bytes kept of each of stdout and stderr, at least 1024'),
    hooks_env_prefix: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]{0,30}_$/, 'must be upper-case letters, digits and _, and end in _')
      .default('MUSTER_')
      .describe('Begins the names of the environment variables that a hook sees'),
    hooks_verify_interval: Interval.refine((text) => (parseDuration(text) ?? 0) >= 1000, 'must be at least 1s')
      .default('5m')
      .describe('How often the hooks are read and hashed again even when nothing tells of a change'),
    ...BUILTIN_SETTINGS,
    hello_interval: Interval.default('15m').describe('How often the agent says hello on a quiet link'),
    metrics_interval: Interval.default('5m').describe('How often a metrics snapshot is published'),
    metrics_host: z.string().min(1).max(255).default('127.0.0.1').describe('Address of /metrics, /healthz and /readyz'),
    metrics_port: z
      .int()
      .min(-1)
      .max(65_535)
      .optional()
      .describe(
        'Port of /metrics; 9464 when absent, or a free one when that is taken; 0 takes a free one, -1 serves none',
      ),
    process_isolation: z
      .enum(['auto', ...ISOLATION_LIMITS])
      .default('auto')
      .describe('What holds the processes of a hook together; auto takes the best that the machine offers'),
    drain_timeout: Interval.default('30s').describe('How long a stop waits for running actions'),
    restart_guard: z
      .boolean()
      .default(true)
      .describe(
        'After three restarts within 10m that nobody asked for, take only reading actions until the agent has run for 10m',
      ),
    data_dir: z
      .string()
      .min(1)
      .max(4096)
      .default('./.muster/agent')
      .describe('Directory of the identity and the journal; one agent uses it at a time'),
    local_socket: z
      .string()
      .max(4096)
      .regex(/^(\/.*[^/]|off)?$/, 'must be an absolute path, or off')
      .default('')
      .describe(
        'Socket for people on the node; agent.sock in RUNTIME_DIRECTORY (which systemd sets) or else in the data directory when empty, none when off',
      ),
    local_users: z
      .array(z.coerce.string().regex(/^([a-z_][a-z0-9_-]{0,31}\$?|\d{1,10})$/, 'must be a user name or a uid'))
      .max(64)
      .default([])
      .describe('Users that may ask over the local socket, by name or uid, beside root and the user of the agent'),
    journal_max_bytes: z
      .int()
      .min(1024 * 1024)
      .max(64 * 1024 * 1024 * 1024)
      .default(256 * 1024 * 1024)
      .describe('The journal and kept output on disk; at this size new work is refused with storage_failed'),
    keep_alive: z.int().min(5).max(1200).default(30).describe('MQTT keep-alive in seconds'),
    max_packet_bytes: z
      .int()
      .min(16 * 1024)
      .max(16 * 1024 * 1024)
      .default(DEFAULT_MAX_PACKET_BYTES)
      .describe('The largest message in bytes'),
    secrets_file: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .describe(
        'Values that are masked in output, results and the log of this node: a file with lines `name: value`, or a directory with one value in each file, 0600; read at the start and when it changes',
      ),
    log_level: z.enum(LOG_LEVELS).default('info').describe('The least level that is logged'),
    broker_url: z
      .url({ protocol: /^(mqtts?|wss?)$/ })
      .max(512)
      .optional()
      .describe('Where the broker listens, if it is not where the enrollment said'),
    enroll_url: z
      .url({ protocol: /^https?$/ })
      .max(512)
      .optional()
      .describe('Where the controller listens; needed once, to enroll'),
    enroll_token: z.string().max(256).optional().describe('Enrollment token; needed once'),
    node_id: Id.optional().describe('Name to enroll under; the host name when absent'),
  })
  .superRefine((config, context) => {
    const faults = actionsFaults({
      enabled: config.enabled,
      hooksDir: config.hooks_dir,
      maxConcurrent: config.max_concurrent,
      maxActionTimeoutMs: parseDuration(config.max_action_timeout) ?? 0,
      maxOutputBytes: config.max_output_bytes,
    });
    const limits = { maxOutputBytes: config.max_output_bytes, maxPacketBytes: config.max_packet_bytes };
    if (config.enabled && mostChunks(limits) > MAX_CHUNKS) {
      const text = `is more than ${MAX_CHUNKS} messages of max_packet_bytes hold`;
      faults.push({ key: 'max_output_bytes', text });
    }
    for (const { key, text } of faults) context.addIssue({ code: 'custom', path: [key], message: text });
  });
export type AgentConfig = Readonly<z.infer<typeof AgentConfig>>;

/** How the agent knows the mesh that the node is part of. */
export const MeshConfig = z.strictObject({
  interface: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,15}$/)
    .optional()
    .describe('WireGuard interface whose address and peers gather_info reports'),
});
export type MeshConfig = Readonly<z.infer<typeof MeshConfig>>;
