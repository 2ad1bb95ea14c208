/** JSON Schemas of the commands' arguments: palettes, links and agents read them. */

export function schema(
  properties: Record<string, { type: string; description: string }>,
  required: string[] = []
) {
  return { args: { type: 'object' as const, properties, required } };
}

export const NOTHING = schema({});

const job = { type: 'string', description: "A job's name" };
const run = { type: 'string', description: "A run's id" };
const tab = { type: 'string', description: 'The tab to show first' };

export const A_JOB = schema({ job, tab }, ['job']);
export const A_RUN = schema({ run, tab }, ['run']);
export const A_NAME = schema({
  job: { type: 'string', description: "The job's name; chosen in the dialog when left out" }
});
export const JOB_TO_RUN = schema(
  { job, version: { type: 'integer', description: 'Production when left out' } },
  ['job']
);
export const TWO_VERSIONS = schema(
  {
    job,
    old: { type: 'integer', description: 'The one before the newest when left out' },
    new: { type: 'integer', description: 'The newest when left out' }
  },
  ['job']
);
export const A_CELL = schema(
  {
    notebook: { type: 'string', description: "The notebook's path on the server" },
    cell: { type: 'string', description: "The cell's id" },
    index: {
      type: 'integer',
      description: 'Its place among the code cells, from 0: for text notebooks, which keep no ids'
    },
    line: { type: 'integer', description: 'A line of it, counted from 1' }
  },
  ['notebook', 'cell']
);
export const A_LINK = schema({
  search: { type: 'string', description: 'The query of a link, such as ?slipway=run/ID' },
  command: { type: 'string', description: 'Or the command that opens the page' },
  args: { type: 'object', description: 'With its arguments' }
});
