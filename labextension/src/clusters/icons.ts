import { LabIcon } from '@jupyterlab/ui-components';

import cluster from '../../style/icons/cluster.svg';
import dashboard from '../../style/icons/dashboard.svg';
import scale from '../../style/icons/scale.svg';

export const clusterIcon = new LabIcon({ name: 'slipway:cluster', svgstr: cluster });
export const dashboardIcon = new LabIcon({ name: 'slipway:dashboard', svgstr: dashboard });
export const scaleIcon = new LabIcon({ name: 'slipway:scale', svgstr: scale });
