// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The matters of who runs the community, each a page of its own under /manage and loaded when it is
// opened. `moderators`: theirs too; the others are administrators' alone, as the API has it.
import type { Component } from 'vue';

export interface ManageSection {
  id: string;
  /** Key of its name. */
  name: string;
  moderators?: boolean;
  load: () => Promise<{ default: Component }>;
}

export const manageSections: ManageSection[] = [
  { id: 'overview', name: 'moderate.overview.title', moderators: true, load: () => import('./OverviewSection.vue') },
  { id: 'reports', name: 'moderate.reports.title', moderators: true, load: () => import('./ReportsSection.vue') },
  { id: 'members', name: 'moderate.members.title', moderators: true, load: () => import('./MembersSection.vue') },
  { id: 'community', name: 'keeper.community.name', load: () => import('./CommunitySection.vue') },
  { id: 'residents', name: 'keeper.residents.name', load: () => import('./ResidentsSection.vue') },
  { id: 'town', name: 'keeper.town.name', load: () => import('./TownSection.vue') },
  { id: 'models', name: 'keeper.models.name', load: () => import('./ModelsSection.vue') },
  { id: 'backups', name: 'keeper.backups.name', load: () => import('./BackupsSection.vue') },
  { id: 'options', name: 'keeper.options.name', load: () => import('./OptionsSection.vue') },
  { id: 'audit', name: 'moderate.audit.title', load: () => import('./AuditSection.vue') },
];
