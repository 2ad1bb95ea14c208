/** The names by which commands, widgets and other extensions reach Slipway. */
export const CommandIDs = {
  open: 'slipway:open',
  refresh: 'slipway:refresh',
  publish: 'slipway:publish-cell',
  openKernel: 'slipway:open-kernel',
  openJob: 'slipway:open-job',
  openRun: 'slipway:open-run',
  openCell: 'slipway:open-cell',
  newTextNotebook: 'slipway:new-text-notebook',
  convertNotebook: 'slipway:convert-notebook',
  openLink: 'slipway:open-link',
  compare: 'slipway:compare',
  run: 'slipway:run-job',
  cancel: 'slipway:cancel-run',
  retry: 'slipway:retry-run',
  newCluster: 'slipway:new-cluster',
  attachCluster: 'slipway:attach-cluster',
  detachCluster: 'slipway:detach-cluster',
  startCluster: 'slipway:start-cluster',
  stopCluster: 'slipway:stop-cluster',
  keepCluster: 'slipway:keep-cluster',
  scaleCluster: 'slipway:scale-cluster',
  deleteCluster: 'slipway:delete-cluster',
  openClusterLogs: 'slipway:open-cluster-logs',
  openDashboard: 'slipway:open-dashboard',
  openClusterPage: 'slipway:open-cluster-page',
  comparePackages: 'slipway:compare-packages',
  cancelWork: 'slipway:cancel-cluster-work',
  compareNotebook: 'slipway:compare-notebook',
  compareWithHead: 'slipway:compare-with-head',
  compareWithRevision: 'slipway:compare-with-revision',
  compareWithSaved: 'slipway:compare-with-saved',
  compareWithProduction: 'slipway:compare-with-production',
  notebookHistory: 'slipway:notebook-history',
  cellHistory: 'slipway:cell-history',
  resolveNotebook: 'slipway:resolve-notebook',
  undoMerge: 'slipway:undo-merge',
  restoreRevision: 'slipway:restore-revision',
  restoreCell: 'slipway:restore-cell',
  shareNotebook: 'slipway:share-notebook'
} as const;

export const PLUGIN_ID = 'jupyter-slipway:plugin';
export const PANEL_ID = 'slipway-panel';

/** Domain of the translated strings. */
export const DOMAIN = 'jupyter_slipway';

/** Schema of the hints that the server emits on Jupyter's event bus. */
export const CHANGED = 'https://events.jupyter.org/slipway/changed/v1';
