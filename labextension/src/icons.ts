import { LabIcon } from '@jupyterlab/ui-components';

import publish from '../style/icons/publish.svg';
import slipway from '../style/icons/slipway.svg';

export const slipwayIcon = new LabIcon({ name: 'slipway:logo', svgstr: slipway });
export const publishIcon = new LabIcon({ name: 'slipway:publish', svgstr: publish });
