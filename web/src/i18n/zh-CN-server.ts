// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The server's sentences in Chinese, with what finds them again: one piece, loaded when it is needed.
import { translator } from './formats';

type Rows = Record<string, string>;
const files = import.meta.glob<Rows>('./zh-CN/server/*.json', { eager: true, import: 'default' });
const { './zh-CN/server/of-fields.json': ofFields = {}, './zh-CN/server/names.json': names = {}, ...rooms } = files;

export const translate = translator({ sentences: Object.assign({}, ...Object.values(rooms)) as Rows, ofFields, names });
