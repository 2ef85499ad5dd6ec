import { z } from 'zod';
import { PositiveDuration } from '../protocol/durations.js';
import { DEFAULT_MAX_PACKET_BYTES } from '../protocol/envelope.js';
import { Id } from '../protocol/ids.js';
import { DEFAULT_PREFIX } from '../protocol/topics.js';
import { LOG_LEVELS } from '../runtime/logger.js';

const File = z.string().min(1).max(4096);
const Port = z.int().min(0).max(65_535);

/** The broker's settings. docs/reference/configuration.md is generated from the descriptions. */
export const BrokerConfig = z
  .strictObject({
    host: z.string().max(255).default('127.0.0.1').describe('Address that the listeners without TLS bind to'),
    port: Port.default(1883).describe('Port of MQTT over TCP; 0 takes a free one'),
    tls_host: z.string().max(255).optional().describe('Address that the TLS listener binds to; host when absent'),
    tls_port: Port.optional().describe('Port of MQTT over TLS 1.2 or newer; no TLS listener when absent'),
    tls_cert_file: File.optional().describe('PEM file of the certificate chain; needed with tls_port'),
    tls_key_file: File.optional().describe('PEM file of the private key; needed with tls_port'),
    ws_port: Port.optional().describe('Port of MQTT over WebSocket; no such listener when absent'),
    metrics_host: z.string().max(255).default('127.0.0.1').describe('Address of /metrics, /healthz and /readyz'),
    metrics_port: Port.optional().describe(
      'Port of /metrics, /healthz and /readyz; 9465 when absent, or a free one when that is taken; 0 takes a free one',
    ),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,63}\/[A-Za-z0-9_-]{1,63}$/)
      .default(DEFAULT_PREFIX)
      .describe('The two topic levels before the org'),
    org: Id.default('default').describe('The organisation; a topic level'),
    root_file: File.default('./.muster/controller/public/root.jwk.json').describe('Public root key as a JWK'),
    keys_file: File.default('./.muster/controller/public/keys.jws').describe(
      'Key list signed by the root key; read again within 1 s of a change',
    ),
    controller_url: z
      .url({ protocol: /^https?$/ })
      .max(512)
      .optional()
      .describe(
        'Where a broker that does not share a disk with the controller asks for its signed lists, every 5 s; they are kept in keys_file and revocations_file',
      ),
    revocations_file: File.optional().describe(
      'Signed list of the nodes that were removed; revocations.jws beside keys_file when absent. Read again within 1 s of a change',
    ),
    max_packet_bytes: z
      .int()
      .min(16 * 1024)
      .max(16 * 1024 * 1024)
      .default(DEFAULT_MAX_PACKET_BYTES)
      .describe('The largest MQTT packet in bytes; before the password is checked it is 4096'),
    max_out_buffer_bytes: z
      .int()
      .min(16 * 1024)
      .max(256 * 1024 * 1024)
      .default(2 * 1024 * 1024)
      .describe('A node or monitor that leaves more than this unread is disconnected, in bytes'),
    max_connections: z.int().min(1).max(1_000_000).default(10_000).describe('Open connections in all'),
    max_connections_per_ip: z.int().min(1).max(1_000_000).default(1000).describe('Open connections from one address'),
    max_in_rate: z
      .int()
      .min(1)
      .max(100_000)
      .default(500)
      .describe('Messages per second of one node, twice that in a burst; above it the node is read more slowly'),
    connect_timeout: PositiveDuration.default('10s').describe(
      'A connection that has not said CONNECT by then is closed',
    ),
    drain_timeout: PositiveDuration.default('15s').describe(
      'How long a controller that reads too slowly may hold back those who publish to it, before it is disconnected',
    ),
    log_level: z.enum(LOG_LEVELS).default('info').describe('The least level that is logged'),
  })
  .refine(
    ({ tls_port, tls_cert_file, tls_key_file }) =>
      tls_port === undefined || (tls_cert_file !== undefined && tls_key_file !== undefined),
    { path: ['tls_port'], message: 'needs tls_cert_file and tls_key_file' },
  )
  .refine(({ max_packet_bytes, max_out_buffer_bytes }) => max_out_buffer_bytes >= max_packet_bytes, {
    path: ['max_out_buffer_bytes'],
    message: 'must not be below max_packet_bytes',
  });
export type BrokerConfig = Readonly<z.infer<typeof BrokerConfig>>;
