import type { Command } from 'commander';
import type { Io } from '../io.js';

/** A command, loaded only when it is asked for, so that a short command does not wait for the libraries of a long one. */
export type CommandEntry = Readonly<{
  name: string;
  summary: string;
  load: () => Promise<(io: Io) => Command>;
}>;

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'up',
    summary: 'run broker, controller and one agent on this machine',
    load: async () => (await import('./up.js')).upCommand,
  },
  {
    name: 'dashboard',
    summary: 'open the dashboard, signed in',
    load: async () => (await import('./dashboard.js')).dashboardCommand,
  },
  { name: 'nodes', summary: 'list the nodes', load: async () => (await import('./nodes.js')).nodesCommand },
  {
    name: 'node',
    summary: 'change the labels and groups of a node, or remove it',
    load: async () => (await import('./node.js')).nodeCommand,
  },
  {
    name: 'actions',
    summary: 'list what the nodes offer',
    load: async () => (await import('./actions.js')).actionsCommand,
  },
  {
    name: 'hooks',
    summary: 'list the hooks with their checksums, accept a changed one',
    load: async () => (await import('./hooks.js')).hooksCommand,
  },
  { name: 'run', summary: 'run an action on nodes', load: async () => (await import('./run.js')).runCommand },
  {
    name: 'show',
    summary: 'show what became of an invocation',
    load: async () => (await import('./show.js')).showCommand,
  },
  {
    name: 'pending',
    summary: 'list what waits for approval',
    load: async () => (await import('./pending.js')).pendingCommand,
  },
  {
    name: 'approve',
    summary: 'approve what waits',
    load: async () => (await import('./approve.js')).approveCommand,
  },
  {
    name: 'deny',
    summary: 'deny what waits',
    load: async () => (await import('./approve.js')).denyCommand,
  },
  {
    name: 'grant',
    summary: 'make, list and revoke approvals that are given beforehand',
    load: async () => (await import('./grant.js')).grantCommand,
  },
  {
    name: 'cancel',
    summary: 'end an invocation that is under way',
    load: async () => (await import('./cancel.js')).cancelCommand,
  },
  {
    name: 'invocations',
    summary: 'list the invocations, newest first',
    load: async () => (await import('./invocations.js')).invocationsCommand,
  },
  {
    name: 'events',
    summary: 'show what happens, as it happens',
    load: async () => (await import('./events.js')).eventsCommand,
  },
  {
    name: 'watch',
    summary: 'show what passes on the topics, decoded',
    load: async () => (await import('./watch.js')).watchCommand,
  },
  {
    name: 'enroll-token',
    summary: 'make, list and delete the tokens that let nodes in',
    load: async () => (await import('./enroll-token.js')).enrollTokenCommand,
  },
  {
    name: 'node-token',
    summary: 'make, list and delete the tokens of nodes that poll',
    load: async () => (await import('./node-token.js')).nodeTokenCommand,
  },
  {
    name: 'integration',
    summary: 'look after the other systems that actions reach',
    load: async () => (await import('./integration.js')).integrationCommand,
  },
  {
    name: 'policy',
    summary: 'show, check and replace the policy',
    load: async () => (await import('./policy.js')).policyCommand,
  },
  {
    name: 'audit',
    summary: 'read who did what',
    load: async () => (await import('./audit.js')).auditCommand,
  },
  {
    name: 'verify',
    summary: "check the promises on the installation's own records",
    load: async () => (await import('./verify.js')).verifyCommand,
  },
  {
    name: 'resume',
    summary: 'let a controller start work again that was restored',
    load: async () => (await import('./resume.js')).resumeCommand,
  },
  {
    name: 'user',
    summary: 'look after the people who may use the controller',
    load: async () => (await import('./user.js')).userCommand,
  },
  {
    name: 'token',
    summary: 'make, list and delete API tokens',
    load: async () => (await import('./token.js')).tokenCommand,
  },
  {
    name: 'sandbox',
    summary: 'make, pause and delete the sandboxes of programs',
    load: async () => (await import('./sandbox.js')).sandboxCommand,
  },
  {
    name: 'mcp',
    summary: 'let an AI agent ask, over the Model Context Protocol',
    load: async () => (await import('./mcp.js')).mcpCommand,
  },
  {
    name: 'login',
    summary: 'log in to a controller',
    load: async () => (await import('./login.js')).loginCommand,
  },
  {
    name: 'logout',
    summary: 'end what login began',
    load: async () => (await import('./logout.js')).logoutCommand,
  },
  {
    name: 'broker-credential',
    summary: 'get a broker password for a monitor or a controller',
    load: async () => (await import('./broker-credential.js')).brokerCredentialCommand,
  },
  {
    name: 'completion',
    summary: 'complete command lines in bash, zsh and fish',
    load: async () => (await import('./completion.js')).completionCommand,
  },
  { name: 'broker', summary: 'run the MQTT broker', load: async () => (await import('./broker.js')).brokerCommand },
  {
    name: 'controller',
    summary: 'run the controller',
    load: async () => (await import('./controller.js')).controllerCommand,
  },
  { name: 'agent', summary: 'run the agent of this node', load: async () => (await import('./agent.js')).agentCommand },
];
