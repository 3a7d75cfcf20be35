/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_compat.h: what the page of deepwiki-open 1.x asks besides questions to
 * a model (docs/wiki.md): languages and models to choose from, written wikis to
 * load, save and delete, files to take along, folders of this machine.
 *
 * Texts of wikis come from strangers and models and may hold HTML. They leave as
 * JSON, or as a file to be saved, never as a page: making them safe to show is
 * the business of whoever shows them.
 */
#pragma once

#include "api/call.h"

/* wiki_compat.c */
handler wiki_lang_config, wiki_cache_get, wiki_cache_post, wiki_cache_delete;
handler wiki_projects_get, wiki_projects_delete;
/* wiki_compat_models.c */
handler wiki_models_config;
/* wiki_compat_files.c */
handler wiki_export, wiki_local_structure;

/* The body becomes the reply, however large; `body` is released. On a worker. */
MUST_USE enum err wiki_reply_large(struct call *call, struct buf *body, const char *content_type,
                                   struct why *why);
