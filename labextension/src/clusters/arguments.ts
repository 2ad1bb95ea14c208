/** JSON Schemas of the cluster commands' arguments. */

const cluster = { type: 'string', description: "A cluster's name; asked for when left out" };

export const A_CLUSTER = { args: { type: 'object' as const, properties: { cluster } } };

export const A_NEW_CLUSTER = {
  args: {
    type: 'object' as const,
    properties: {
      profile: { type: 'string', description: 'The profile that is chosen first' },
      attach: { type: 'boolean', description: 'Whether the notebook in front is attached to it afterwards' }
    }
  }
};
