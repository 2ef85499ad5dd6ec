import { z } from 'zod';
import { PositiveDuration } from '../../protocol/durations.js';
import { Id, Time } from '../../protocol/ids.js';

export const Role = z.enum(['owner', 'admin', 'operator', 'viewer']);

export type Role = z.infer<typeof Role>;

/** Who a token speaks for: a person, or the sandbox of a program. */
export const Me = z.object({ id: z.string(), org: Id, role: z.enum([...Role.options, 'sandbox']) });
export type Me = Readonly<z.infer<typeof Me>>;

const Password = z.string().min(12).max(256);

/** Who else stands where records name a user. */
const RESERVED_USERS: ReadonlySet<string> = new Set(['controller', 'policy']);

export const USER_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$/;

/** How a user is named in an address. */
export const UserId = z
  .string()
  .regex(USER_PATTERN, 'must be letters, digits and _ . @ -, 63 at most, and begin with a letter or a digit')
  .refine((id) => !RESERVED_USERS.has(id), 'is a name that the controller uses for itself')
  .describe('Name of a user; an address of mail may stand there');

export const CreateUser = z.strictObject({
  id: UserId,
  role: Role,
  password: Password.optional().describe('Without one the user works with API tokens alone'),
});
export type CreateUser = Readonly<z.infer<typeof CreateUser>>;

export const ChangeUser = z.strictObject({
  role: Role.optional(),
  password: Password.optional(),
  disabled: z.boolean().optional().describe('True ends every token of the user at once'),
});
export type ChangeUser = Readonly<z.infer<typeof ChangeUser>>;

export const UserView = z.object({
  id: UserId,
  role: Role,
  has_password: z.boolean(),
  disabled: z.boolean(),
  created_at: Time,
  created_by: z.string(),
});
export type UserView = Readonly<z.infer<typeof UserView>>;

export const ChangePassword = z.strictObject({ current: z.string().max(256), password: Password });
export type ChangePassword = Readonly<z.infer<typeof ChangePassword>>;

export const Login = z.strictObject({ user: UserId, password: z.string().max(256) });
export type Login = Readonly<z.infer<typeof Login>>;

export const CreateApiToken = z.strictObject({
  user: UserId.optional().describe('Yourself when absent; an admin may name others'),
  name: z.string().min(1).max(64).describe('What it is for'),
  role: Role.optional().describe("At most the user's, which it is when absent"),
  expires_in: PositiveDuration.optional().describe('At most 8784h, a year; 2160h when absent'),
});
export type CreateApiToken = Readonly<z.infer<typeof CreateApiToken>>;

export const ApiTokenView = z.object({
  id: z.string(),
  user: UserId,
  name: z.string(),
  role: Role,
  created_at: Time,
  created_by: z.string(),
  expires_at: Time.nullable().describe('Null: never'),
});
export type ApiTokenView = Readonly<z.infer<typeof ApiTokenView>>;

/** The one time that the token itself is shown. */
export const ApiTokenCreated = ApiTokenView.extend({ token: z.string() });
export type ApiTokenCreated = Readonly<z.infer<typeof ApiTokenCreated>>;
