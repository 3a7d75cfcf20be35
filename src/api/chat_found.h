/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_found.h: what an answer about a wiki is made of, as it is kept with
 * the answer and shown below it: places of the repository, each once however
 * many rounds found it; notices; how far a research is; citations.
 */
#pragma once

#include "base/json.h"
#include "wiki/ask.h"

enum { CHAT_FOUND_SOURCES_MAX = 500, CHAT_FOUND_BYTES = 1024 * 1024 };

struct chat_found {
    struct arena arena;
    struct wiki_source *sources;
    size_t source_count;
    struct buf notices; /* objects, a comma before each but the first */
    int round;          /* of a research, from 1; 0: it is none */
    bool last;
    uint64_t cited, removed;
};

void chat_found_init(struct chat_found *found);
void chat_found_release(struct chat_found *found);
/* Past the ceiling they are not kept: a reader has had them. */
void chat_found_add(struct chat_found *found, const struct wiki_source *sources, size_t count);
/* `notice`: an object, as wiki_frame_notice() writes it. */
void chat_found_note(struct chat_found *found, struct str notice);
/* Empties the buffer and writes the object. */
void chat_found_write(const struct chat_found *found, struct buf *to);

/* Each source of an object that was written so, as "- path:first-last" lines of Markdown. */
void chat_found_list(struct str json, struct buf *to);
