/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/err.h: how a function fails.
 *
 * The code says what the caller may do about it, the sentence in `struct why`
 * says what happened, in words a member may read: no secrets, SQL or paths
 * (operators' commands may name paths). After a failure nothing has changed
 * unless the contract of the function says otherwise.
 */
#pragma once

#include "base/base.h"

enum err {
    OK = 0,
    ERR_INVALID,        /* ask for better */
    ERR_UNKNOWN_CALLER, /* sign in */
    ERR_DENIED,         /* no */
    ERR_NOT_FOUND,
    ERR_CONFLICT,  /* reload */
    ERR_LIMIT,     /* slower, shorter or smaller */
    ERR_CANCELLED, /* nobody listens */
    ERR_TIMEOUT,   /* later */
    ERR_UPSTREAM,  /* another provider */
    ERR_BUSY,      /* wait */
    ERR_AWAY,      /* the database does not answer: nothing has changed, wait longer */
    ERR_UNCERTAIN, /* the write may have happened, look first */
    ERR_FULL,      /* no room on the disk: nothing has changed, tell the operator */
    ERR_IO,        /* stop this work, tell the operator */
    ERR_CORRUPT,   /* the same */
    ERR_COUNT
};

/* Open data. Zeroed means: nothing said yet. */
struct why {
    char text[320];    /* one sentence, always cut between code points */
    const char *field; /* ERR_INVALID: which field of the input, a literal; NULL: none */
    const char *type;  /* and in which way, a word programs know: "string_too_long" */
};

/*
 * enum err why_set(struct why *why, enum err err, const char *format, ...): write the sentence,
 * return `err`; `field` and `type` become NULL.
 * enum err why_field(struct why *why, const char *field, const char *type, const char *format,
 * ...): ERR_INVALID about one field of the input. Macros, so that compilers and analysers see in
 * every caller that this is the way of failing.
 */
#define why_set(why, err, ...) (why_write((why), __VA_ARGS__), err_itself(err))
#define why_field(why, field, type, ...)                                                           \
    (why_write_field((why), (field), (type), __VA_ARGS__), ERR_INVALID)

void why_write(struct why *why, const char *format, ...) PRINTF_LIKE(2, 3);
void why_write_field(struct why *why, const char *field, const char *type, const char *format, ...)
    PRINTF_LIKE(4, 5);
static inline enum err err_itself(enum err err)
{
    return err;
}

/* Of an errno that a write left: is it ERR_FULL? The disk, a quota, or the size that a file of this
 * process may have. */
bool err_is_full(int error);

/* The store is not well: what was to be done is kept and tried again later. */
static inline bool err_is_of_store(enum err err)
{
    return err == ERR_BUSY || err == ERR_AWAY || err == ERR_UNCERTAIN || err == ERR_FULL ||
           err == ERR_IO;
}

/* "invalid", "not_found" …: for logs and for the `type` of problems. */
const char *err_name(enum err err);
