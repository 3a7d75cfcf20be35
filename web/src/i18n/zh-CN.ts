// SPDX-License-Identifier: AGPL-3.0-or-later
import { byPart } from './parts';

export default byPart(import.meta.glob('./zh-CN/*.json', { eager: true, import: 'default' }));
