import { z } from 'zod';
import { ApiTokenCreated } from './people-schemas.js';

export const BeginSignIn = z.strictObject({
  return_to: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .describe('Path of this controller that the browser comes back to; a sentence is shown when absent'),
});

/** What a provider adds to the address is its own affair; each is looked at where it is used. */
export const SignInCallback = z.record(z.string().max(64), z.union([z.string(), z.array(z.string())]));

/** A sign-in that waits for a person to confirm it. */
export const DeviceSignIn = z.object({
  device_code: z.string().describe('Who polls shows this; it is as good as the token that comes of it'),
  user_code: z.string().describe('What the person types at the provider'),
  verification_uri: z.string().describe('Where they type it'),
  verification_uri_complete: z.string().nullable().describe('Where it is typed already'),
  expires_in: z.int().describe('Seconds in which it has to be confirmed'),
  interval: z.int().describe('Seconds between two polls'),
});
export type DeviceSignIn = Readonly<z.infer<typeof DeviceSignIn>>;

export const PollDevice = z.strictObject({ device_code: z.string().min(1).max(128) });

export const DevicePoll = z.discriminatedUnion('status', [
  z.object({ status: z.literal('pending'), interval: z.int().describe('Seconds to wait before the next poll') }),
  z.object({ status: z.literal('done'), token: ApiTokenCreated }),
]);
export type DevicePoll = Readonly<z.infer<typeof DevicePoll>>;
