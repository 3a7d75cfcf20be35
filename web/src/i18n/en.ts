// SPDX-License-Identifier: AGPL-3.0-or-later
import { byPart } from './parts';

export default byPart(import.meta.glob('./en/*.json', { eager: true, import: 'default' }));
