import type { FastifyDynamicSwaggerOptions, SwaggerTransformObject } from '@fastify/swagger';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { VERSION } from '../../runtime/version.js';
import { Me } from './people-schemas.js';
import {
  ActionView,
  BrokerCredential,
  EnrollmentTokenView,
  ExecutionView,
  InvocationView,
  NodeView,
  Problem,
} from './schemas.js';

/** The schemas that the document names once and refers to. */
const COMPONENTS = {
  Action: ActionView,
  BrokerCredential,
  EnrollmentToken: EnrollmentTokenView,
  Execution: ExecutionView,
  Invocation: InvocationView,
  Me,
  Node: NodeView,
  Problem,
};

/** How the OpenAPI 3.1 document is made from the schemas that check the requests. */
export function openApiOptions(): FastifyDynamicSwaggerOptions {
  const schemaRegistry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(COMPONENTS)) schemaRegistry.add(schema, { id });
  const addComponents = createJsonSchemaTransformObject({ schemaRegistry });
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Muster',
        version: VERSION,
        description: 'Remote actions on fleets of edge devices. Failures are RFC 9457 problems with a stable `code`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
      tags: [
        { name: 'fleet', description: 'Nodes, groups and what they offer' },
        { name: 'invocations', description: 'Asking for actions and reading their outcome' },
        { name: 'approvals', description: 'What waits for a person, and what they say' },
        {
          name: 'integrations',
          description: 'Other systems that the controller acts in, without a credential in sight',
        },
        { name: 'policy', description: 'What may be asked for, by whom, and who approves it' },
        { name: 'events', description: 'What happens, as it happens' },
        { name: 'enrollment', description: 'How nodes become members' },
        {
          name: 'polling',
          description: 'Nodes without a connection to the broker: a queue to fetch from, and what they report',
        },
        { name: 'sandboxes', description: 'Restricted identities of programs, and what they ask for' },
        { name: 'access', description: 'Who asks, and credentials for the broker' },
        { name: 'audit', description: 'What was done by whom, and whether the records still say so' },
        { name: 'process', description: 'Health and metrics of the controller' },
      ],
    },
    transform: createJsonSchemaTransform({ schemaRegistry, skipList: [] }),
    transformObject: (document) => withoutInputs(addComponents(document)),
  };
}

/** The components are answers only: their twins for requests, which the library adds, are referred to by nothing. */
function withoutInputs(document: ReturnType<SwaggerTransformObject>): ReturnType<SwaggerTransformObject> {
  if (!('components' in document)) return document;
  const schemas = document.components?.schemas ?? {};
  for (const name of Object.keys(schemas)) if (name.endsWith('Input')) delete schemas[name];
  return document;
}
