/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/support/request.h: a request as the command line describes it, written
 * anew for each time it is sent. In path, headers and body `%d` stands for the
 * running number, `%t` for the token of the connection; `%%` is a per cent sign
 * and any other `%x` stays as it is.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net.h"

enum { REQUEST_HEADERS_MAX = 16 };

/* Open data; everything borrowed from the command line. */
struct request {
    struct endpoint to;
    struct str method; /* "GET" if left empty */
    struct str headers[REQUEST_HEADERS_MAX];
    size_t header_count;
    struct str body; /* NULL: none */
};

MUST_USE enum err request_add_header(struct request *request, struct str header, struct why *why);
/* A Bearer header when there are tokens and no %t takes them; JSON when a body has no type. */
MUST_USE enum err request_complete(struct request *request, bool has_tokens, struct why *why);
void request_write(struct buf *buf, const struct request *request, struct str token,
                   uint64_t number);
/* What providers tell questions apart by: the N of "question N" in `text`; false: there is none. */
MUST_USE bool question_number(struct str text, uint64_t *number_out);
/* `template` with its marks filled in. */
void template_write(struct buf *buf, struct str template, struct str token, uint64_t number);

/* One token a line, from a file. Zeroed means: none. */
struct tokens {
    char *text;     /* owned */
    struct str *at; /* owned */
    size_t len;
};

MUST_USE enum err tokens_load(struct tokens *tokens_out, const char *path, struct why *why);
void tokens_release(struct tokens *tokens);
/* Token of the n-th user, beginning anew after the last; empty when there are none. */
struct str tokens_get(const struct tokens *tokens, size_t n);
