import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** The events that a webhook refused and is told of again, while later ones go on. */
export const WEBHOOKS_SET_ASIDE: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql
      .raw(
        'create table webhooks_set_aside (name text not null, event_id bigint not null, primary key (name, event_id))',
      )
      .execute(db);
  },
};
