/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/support/recordings.h: for each provider an answer in its exact framing,
 * with made-up content: reasoning, text in Chinese with an emoji, a tool call,
 * usage. The contract suite walks the table; a new provider is a new entry and
 * gets all of it.
 */
#pragma once

#include "base/buf.h"
#include "llm/reader.h"

enum { PIECES_MAX = 20, NOTATIONS_MAX = 5 };

/* JSON is written with ' for ", which recording_text() puts right. */
struct notation {
    const char *text;
    enum llm_fault fault;
};

struct recording {
    const char *name;
    const struct llm_provider *provider;
    unsigned quirks;
    const char *type;                      /* Content-Type */
    const char *pieces[PIECES_MAX];        /* events or lines, each with its end */
    int three;                             /* so many pieces hold three pieces of text */
    int finish, marker;                    /* numbers of the pieces; marker -1: there is none */
    const char *whole;                     /* the same answer in one body */
    struct notation errors[NOTATIONS_MAX]; /* inside a stream */
    struct notation refused;               /* a body in the place of an answer, status 200 */
    const char *call_id;                   /* as told to our callers */
    const char *model;
    struct llm_usage usage;
};

/* What all of them say. */
#define RECORDED_TEXT "你好, 世界 🌏!"
#define RECORDED_THOUGHT "想一想"
#define RECORDED_TOOL "look_up"
#define RECORDED_ARGUMENTS "{\"q\":\"茶\"}"

extern const struct recording recordings[];
extern const size_t recording_count;

void recording_text(struct buf *to, const char *text);
/* Pieces `from` up to, not including, `end`; -1: the last. */
void recording_join(struct buf *to, const struct recording *recording, int from, int end);
