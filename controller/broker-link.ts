import { MusterError } from '../protocol/errors.js';
import { type MqttSession, type MqttSessionOptions, startMqttSession } from '../runtime/mqtt-session.js';

/** The controller's connection to the broker, which the parts that publish hold before it is started. */
export type BrokerLink = Readonly<{
  readonly connected: boolean;
  publish: MqttSession['publish'];
  start: (options: MqttSessionOptions) => void;
  stop: () => Promise<void>;
}>;

/** Nothing is published while `mayPublish` is false. */
export function createBrokerLink(mayPublish: () => boolean): BrokerLink {
  let session: MqttSession | undefined;
  return {
    get connected() {
      return session?.connected ?? false;
    },
    publish(kind, params, body) {
      if (!mayPublish()) {
        return Promise.reject(new MusterError('not_connected', 'Another controller may lead by now'));
      }
      if (session === undefined) {
        return Promise.reject(new MusterError('not_connected', 'The connection to the broker is not started'));
      }
      return session.publish(kind, params, body);
    },
    start(options) {
      session = startMqttSession(options);
    },
    async stop() {
      await session?.stop();
    },
  };
}
