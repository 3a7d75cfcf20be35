// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the audit log notes beside a deed, in the reader's words. The log itself keeps short words of the
// server (role names, kinds, states), as every program reads them; what members wrote stays as it is.
type Say = (key: string) => string;

const word = (t: Say, te: (key: string) => boolean, key: string, raw: string): string => (te(key) ? t(key) : raw);

export function auditWords(action: string, detail: string, t: Say, te: (key: string) => boolean): string {
  switch (action) {
    case 'role.changed':
      return detail.split(' → ').map((role) => word(t, te, `account.role.${role}`, role)).join(' → ');
    case 'report.resolved': {
      const [, outcome, kind, id, author, reason, count] = /^(\w+): (\w+) (\d+) @(\S*) \((\w+) × (\d+)\)$/.exec(detail) ?? [];
      if (!outcome) return detail;
      const say = (part: string, raw: string): string => word(t, te, `${part}.${raw}`, raw);
      return `${say('moderate.reports.outcome', outcome)} · ${say('moderate.kind', kind!)} ${id} @${author} · ${say('report.reasons', reason!)} × ${count}`;
    }
    case 'town.controlled': {
      const [verb = '', speed = ''] = detail.split(' ');
      return `${word(t, te, `moderate.audit.town.${verb}`, verb)} ${speed}`.trim();
    }
    case 'community.changed':
      return detail.replace(/(?<=^|; )(name|about|language|first-run page)(?=: )/g, (label) => t(`moderate.audit.changed.${label === 'first-run page' ? 'setup' : label}`));
    default:
      return detail;
  }
}
