/** An approval that was given beforehand. Exactly one of `target` and `integration` is there. */
export type GrantTable = {
  id: string;
  org: string;
  /** Id of the sandbox whose asks it is for; null: everybody's of the org. */
  sandbox: string | null;
  /** Selector of nodes, as JSON. */
  target: string | null;
  /** Id of the integration; `*` for every one. */
  integration: string | null;
  /** Patterns of action names, as JSON. */
  actions: string;
  /** Of each action that is named without `*` and `?`: what stood behind it when the grant was made, as JSON. */
  definitions: string | null;
  /** How many asks it is for; null: as many as come. */
  max_calls: number | null;
  used: number;
  expires_at: number;
  /** The ask that was approved as it was made; null when it was made alone. */
  invocation_id: string | null;
  created_at: number;
  created_by: string;
  /** What whoever made it was at that moment, or their token; a grant never does more. */
  role: string;
  /** Everybody who may have been behind its making, as JSON. */
  holders: string;
  /** Id of the token that it was made with; it ends when that is deleted. */
  token: string | null;
  last_used_at: number | null;
  revoked_at: number | null;
  revoked_by: string | null;
};
