/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/input.h: reading what strangers sent: path, query, body.
 *
 * The readers note what is wrong and go on, so that one answer names every
 * field; input_check() at the end says whether there was anything. Types and
 * locations in those notes are those of the system we replace ("missing",
 * "string_type", "int_parsing" …); old clients show only the sentence.
 */
#pragma once

#include "api/call.h"

/* Note a fault. `where`: "body", "query" or "path". */
void input_fault(struct call *call, const char *where, const char *field, const char *type,
                 const char *format, ...) PRINTF_LIKE(5, 6);
/* Note what a check of a text of the body said in `why`. */
void input_note(struct call *call, const char *field, const struct why *why);
/* ERR_INVALID when anything was noted, with the first sentence. */
MUST_USE enum err input_check(struct call *call, struct why *why);

/* A path parameter that is an id; 0 and a note when it is none. */
uint64_t input_path_id(struct call *call, size_t index, const char *name);
/* A query parameter within [min, max]; `initial` when absent. */
int64_t input_query_int(struct call *call, const char *name, int64_t initial, int64_t min,
                        int64_t max);
/* -1 when absent, else 0 or 1. */
int input_query_bool(struct call *call, const char *name);
/* .at NULL when absent. */
struct str input_query_str(struct call *call, const char *name);
/* The cursors of a list, 0 when absent; one may go one way at a time. */
void input_query_cursors(struct call *call, uint64_t *before_out, uint64_t *after_out);

/* Parse the body as a JSON object; ERR_INVALID with the place where it stops being one. */
MUST_USE enum err input_json(struct call *call, struct why *why);
/* A text member of the body. Absent and required: a note. Absent or null, not required: .at NULL.
 */
struct str input_str(struct call *call, const char *name, bool required);
/* An id in the body; 0 when absent or null. */
uint64_t input_id(struct call *call, const char *name);
/* Whether the body has that member, null or not. */
bool input_has(struct call *call, const char *name);
