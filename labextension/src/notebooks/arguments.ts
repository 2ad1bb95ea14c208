/** JSON Schemas of the arguments of commands about notebooks. */
import { schema } from '../ui/arguments';

const notebook = { type: 'string', description: "A notebook's path; the open one's when left out" };
const selected = { type: 'boolean', description: 'The one selected in the file browser' };
const revision = { type: 'string', description: "A commit, branch or tag; '@name': what a colleague shares" };

export const A_NOTEBOOK = schema({ path: notebook, selected });
export const A_REVISION = schema({ path: notebook, revision }, ['path', 'revision']);
export const A_CLICKED_CELL = schema({
  clicked: { type: 'boolean', description: 'The cell whose menu is open; else the active one' }
});
export const A_CELL_TO_RESTORE = schema(
  {
    path: notebook,
    cell: { type: 'string', description: "The cell's id or index" },
    was: { type: 'string', description: 'What it says, where it has no id' },
    source: { type: 'string', description: 'What it becomes' }
  },
  ['path', 'cell', 'source']
);
export const A_COMPARISON = schema({
  path: notebook,
  selected,
  base: revision,
  other: { type: 'string', description: 'The same; the file on disk when left out' },
  unsaved: { type: 'boolean', description: 'Compare what is open and not saved' },
  title: { type: 'string', description: 'What the older side is called' }
});
