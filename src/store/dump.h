/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/dump.h: the file a MariaDB backup is: tables and rows, one after the other.
 *
 *   file   = "hutong dump 1\n" record…
 *   record = kind (1 byte) length (u32) payload
 *   'T'    a table begins: name, DDL as texts; u32 columns, each a byte and its name:
 *          't' holds text, 'b' bytes
 *   'R'    a row of that table: one text for each column, in that order
 *   'E'    the table ends: u64 rows
 *   'Z'    the file ends: u64 tables, u64 rows, BLAKE2b-256 of everything before these 32 bytes
 *   text   = u32 length, bytes; length 0xffffffff is NULL
 *
 * Numbers are little-endian. Values are as the server prints them, in UTC.
 * Order of calls: begin, then for each table: table, row…, table_end; end.
 */
#pragma once

#include <sodium.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define DUMP_MAGIC "hutong dump 1\n"
enum { DUMP_COLUMNS_MAX = 1024, DUMP_RECORD_MAX = 1 << 30 };

struct dump_column {
    struct str name;
    bool bytes;
};

struct dump_writer {
    FILE *file;                     /* owned */
    crypto_generichash_state *hash; /* owned; on the heap for its 64-byte alignment */
    struct buf record;              /* owned; the payload being built */
    uint64_t tables, rows, table_rows;
    int error; /* errno of the first failure */
};

/* `path` must not exist yet. */
MUST_USE enum err dump_begin(struct dump_writer *w, const char *path, struct why *why);
void dump_table(struct dump_writer *w, struct str name, struct str ddl,
                const struct dump_column *columns, size_t count);
void dump_row(struct dump_writer *w, const struct str *cells, size_t count);
void dump_table_end(struct dump_writer *w);
/* An earlier write failed: no use to go on. */
static inline bool dump_failed(const struct dump_writer *w)
{
    return w->error != 0;
}
/* Writes the end and makes it durable. */
MUST_USE enum err dump_end(struct dump_writer *w, struct why *why);
void dump_writer_release(struct dump_writer *w);

struct dump_record {
    enum { DUMP_TABLE, DUMP_ROW, DUMP_TABLE_END, DUMP_END } kind;
    struct str table, ddl;       /* DUMP_TABLE */
    struct dump_column *columns; /* DUMP_TABLE */
    struct str *cells;           /* DUMP_ROW */
    size_t count;                /* of columns or cells */
};

struct dump_reader {
    FILE *file;                     /* owned */
    const char *path;               /* borrowed, for sentences */
    uint64_t size, read;            /* bytes */
    crypto_generichash_state *hash; /* owned; on the heap for its 64-byte alignment */
    struct arena arena;             /* the current table's record */
    struct buf record;              /* the current row's */
    struct str *cells;              /* in the arena */
    uint64_t tables, rows, table_rows;
    size_t columns;
    bool in_table, ended;
};

MUST_USE enum err dump_open(struct dump_reader *r, const char *path, struct why *why);
/* What a record points to is good until the next call; a table's until the next table.
 * ERR_CORRUPT: cut off or damaged. After DUMP_END everything was checked. */
MUST_USE enum err dump_next(struct dump_reader *r, struct dump_record *record_out, struct why *why);
void dump_reader_release(struct dump_reader *r);
