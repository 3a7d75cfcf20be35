/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/old_export.h: pages as one file to take along, byte by byte as
 * deepwiki-open 1.x lays it out: Markdown with a table of contents, or JSON with
 * two blanks a level and nothing but ASCII.
 *
 * Both are made of a list of pages that wiki_old_pages_check() has seen. Times
 * are this machine's own, as there. Pure; any thread.
 */
#pragma once

#include "base/arena.h"
#include "base/json.h"

/* `url` is of the repository and must be without secrets. `to` has failed where it was too much. */
void wiki_old_export_markdown(struct buf *to, struct str url, const struct json *pages,
                              int64_t now_us);
void wiki_old_export_json(struct buf *to, struct str url, const struct json *pages, int64_t now_us);
/* "REPO_wiki_20261121_112322" and the ending; safe in a header and as a file's name. */
struct str wiki_old_export_name(struct arena *arena, struct str url, const char *ending,
                                int64_t now_us);
