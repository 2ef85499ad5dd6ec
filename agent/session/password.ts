import { BrokerClaims } from '../../protocol/broker-token.js';

/**
 * The groups in our own broker password. It is the broker's to verify; here it only says which topics to ask for, and a
 * password of another make says none.
 */
export function groupsOf(password: string): readonly string[] {
  try {
    return BrokerClaims.parse(JSON.parse(Buffer.from(password.split('.')[1] ?? '', 'base64url').toString('utf8')))
      .groups;
  } catch {
    return [];
  }
}
