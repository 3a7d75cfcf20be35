/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/dump.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { HASH_BYTES = 32, HEAD_BYTES = 5, TRAILER_BYTES = 16 };
static const uint32_t null_len = UINT32_MAX;

/* Writing. */

static void write_raw(struct dump_writer *w, const void *bytes, size_t len)
{
    if (w->error) return;
    crypto_generichash_update(w->hash, bytes, len);
    if (len > 0 && fwrite(bytes, 1, len, w->file) != len) w->error = errno;
}

static void put_number(char *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (char)(value >> (8 * i) & 0xff);
    }
}

static void add_number(struct buf *buf, uint64_t value, size_t bytes)
{
    char number[8];
    put_number(number, value, bytes);
    buf_add(buf, number, bytes);
}

static void add_text(struct buf *buf, struct str text)
{
    add_number(buf, text.at ? text.len : null_len, 4);
    buf_add(buf, text.at, text.at ? text.len : 0);
}

static void begin_record(struct dump_writer *w, char kind)
{
    buf_reset(&w->record, 1 << 20);
    buf_add_byte(&w->record, kind);
    add_number(&w->record, 0, 4); /* the length, when it is known */
}

static void end_record(struct dump_writer *w, size_t further)
{
    if (w->record.failed) {
        w->error = E2BIG;
        return;
    }
    put_number(w->record.at + 1, w->record.len - HEAD_BYTES + further, 4);
    write_raw(w, w->record.at, w->record.len);
}

enum err dump_begin(struct dump_writer *w, const char *path, struct why *why)
{
    *w = (struct dump_writer){0};
    buf_init(&w->record, DUMP_RECORD_MAX);
    w->hash = NEW(crypto_generichash_state);
    crypto_generichash_init(w->hash, NULL, 0, HASH_BYTES);
    w->file = fopen(path, "wxe");
    if (w->file == NULL) return why_set(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    write_raw(w, DUMP_MAGIC, sizeof(DUMP_MAGIC) - 1);
    return OK;
}

void dump_table(struct dump_writer *w, struct str name, struct str ddl,
                const struct dump_column *columns, size_t count)
{
    begin_record(w, 'T');
    add_text(&w->record, name);
    add_text(&w->record, ddl);
    add_number(&w->record, count, 4);
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(&w->record, columns[i].bytes ? 'b' : 't');
        add_text(&w->record, columns[i].name);
    }
    end_record(w, 0);
    w->tables++;
    w->table_rows = 0;
}

void dump_row(struct dump_writer *w, const struct str *cells, size_t count)
{
    begin_record(w, 'R');
    for (size_t i = 0; i < count; i++) {
        add_text(&w->record, cells[i]);
    }
    end_record(w, 0);
    w->table_rows++;
    w->rows++;
}

void dump_table_end(struct dump_writer *w)
{
    begin_record(w, 'E');
    add_number(&w->record, w->table_rows, 8);
    end_record(w, 0);
}

enum err dump_end(struct dump_writer *w, struct why *why)
{
    unsigned char hash[HASH_BYTES];
    begin_record(w, 'Z');
    add_number(&w->record, w->tables, 8);
    add_number(&w->record, w->rows, 8);
    end_record(w, HASH_BYTES);
    crypto_generichash_final(w->hash, hash, sizeof(hash));
    if (!w->error && (fwrite(hash, 1, sizeof(hash), w->file) != sizeof(hash) ||
                      fflush(w->file) != 0 || fsync(fileno(w->file)) != 0)) {
        w->error = errno;
    }
    if (fclose(w->file) != 0 && !w->error) w->error = errno;
    w->file = NULL;
    if (!w->error) return OK;
    if (err_is_full(w->error)) return why_set(why, ERR_FULL, "the disk is full");
    return why_set(why, ERR_IO, "writing the backup failed: %s", strerror(w->error));
}

void dump_writer_release(struct dump_writer *w)
{
    if (w->file) fclose(w->file);
    w->file = NULL;
    mem_free(w->hash);
    w->hash = NULL;
    buf_release(&w->record);
}

/* Reading. */

static enum err damaged(const struct dump_reader *r, const char *what, struct why *why)
{
    return why_set(why, ERR_CORRUPT, "the backup %s is damaged: %s", r->path, what);
}

static enum err read_raw(struct dump_reader *r, char *to, size_t len, struct why *why)
{
    if (fread(to, 1, len, r->file) != len) {
        if (ferror(r->file)) {
            return why_set(why, ERR_IO, "cannot read %s: %s", r->path, strerror(errno));
        }
        return damaged(r, "it ends too early", why);
    }
    r->read += len;
    return OK;
}

static uint64_t get_number(const char *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)(unsigned char)from[i] << (8 * i);
    }
    return value;
}

enum err dump_open(struct dump_reader *r, const char *path, struct why *why)
{
    char magic[sizeof(DUMP_MAGIC) - 1];
    struct stat info;
    *r = (struct dump_reader){.path = path};
    buf_init(&r->record, DUMP_RECORD_MAX);
    r->hash = NEW(crypto_generichash_state);
    crypto_generichash_init(r->hash, NULL, 0, HASH_BYTES);
    r->file = fopen(path, "re");
    if (r->file == NULL || fstat(fileno(r->file), &info) != 0) {
        return why_set(why, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    r->size = (uint64_t)info.st_size;
    enum err err = read_raw(r, magic, sizeof(magic), why);
    if (err) return err;
    crypto_generichash_update(r->hash, (unsigned char *)magic, sizeof(magic));
    return memcmp(magic, DUMP_MAGIC, sizeof(magic)) == 0 ? OK : damaged(r, "no dump", why);
}

/* Takes numbers and texts off the front of a payload. `bad` sticks. */
struct cutter {
    struct str rest;
    bool bad;
};

static uint64_t cut_number(struct cutter *c, size_t bytes)
{
    if (c->bad || c->rest.len < bytes) {
        c->bad = true;
        return 0;
    }
    uint64_t value = get_number(c->rest.at, bytes);
    c->rest = str_from(c->rest, bytes);
    return value;
}

static struct str cut_text(struct cutter *c)
{
    uint64_t len = cut_number(c, 4);
    if (c->bad || len == null_len) return (struct str){0};
    if (len > c->rest.len) {
        c->bad = true;
        return (struct str){0};
    }
    struct str text = str_head(c->rest, len);
    c->rest = str_from(c->rest, len);
    return text;
}

static bool take_table(struct dump_reader *r, struct cutter *c, struct dump_record *record)
{
    if (r->in_table) return false;
    arena_reset(&r->arena);
    struct str copy = arena_copy(&r->arena, c->rest); /* outlives its rows */
    c->rest = copy;
    record->kind = DUMP_TABLE;
    record->table = cut_text(c);
    record->ddl = cut_text(c);
    record->count = cut_number(c, 4);
    if (c->bad || record->count == 0 || record->count > DUMP_COLUMNS_MAX) return false;
    record->columns = ARENA_ARRAY(&r->arena, struct dump_column, record->count);
    r->cells = ARENA_ARRAY(&r->arena, struct str, record->count);
    for (size_t i = 0; i < record->count; i++) {
        record->columns[i].bytes = cut_number(c, 1) == 'b';
        record->columns[i].name = cut_text(c);
        if (record->columns[i].name.len == 0) return false;
    }
    r->columns = record->count;
    r->table_rows = 0;
    r->in_table = true;
    r->tables++;
    return record->table.len > 0 && record->ddl.len > 0;
}

static bool take_row(struct dump_reader *r, struct cutter *c, struct dump_record *record)
{
    if (!r->in_table) return false;
    record->kind = DUMP_ROW;
    record->cells = r->cells;
    record->count = r->columns;
    for (size_t i = 0; i < r->columns; i++) {
        r->cells[i] = cut_text(c);
    }
    r->table_rows++;
    r->rows++;
    return true;
}

static bool take_table_end(struct dump_reader *r, struct cutter *c, struct dump_record *record)
{
    record->kind = DUMP_TABLE_END;
    bool ok = r->in_table && cut_number(c, 8) == r->table_rows;
    r->in_table = false;
    return ok;
}

static bool take_end(struct dump_reader *r, struct cutter *c, struct dump_record *record)
{
    unsigned char hash[HASH_BYTES];
    record->kind = DUMP_END;
    r->ended = true;
    crypto_generichash_final(r->hash, hash, sizeof(hash));
    if (r->in_table || cut_number(c, 8) != r->tables || cut_number(c, 8) != r->rows) return false;
    bool same = c->rest.len == HASH_BYTES && memcmp(c->rest.at, hash, HASH_BYTES) == 0;
    c->rest.len = 0;
    return same && r->read == r->size;
}

enum err dump_next(struct dump_reader *r, struct dump_record *record_out, struct why *why)
{
    static const struct {
        char kind;
        bool (*take)(struct dump_reader *, struct cutter *, struct dump_record *);
    } kinds[] = {{'T', take_table}, {'R', take_row}, {'E', take_table_end}, {'Z', take_end}};
    char head[HEAD_BYTES];
    ASSERT(!r->ended);
    *record_out = (struct dump_record){0};
    enum err err = read_raw(r, head, sizeof(head), why);
    if (err) return err;
    uint64_t len = get_number(head + 1, 4);
    /* Never more memory than the file could fill. */
    if (len > r->size - r->read) return damaged(r, "it ends too early", why);
    buf_reset(&r->record, 1 << 20);
    char *space = buf_space(&r->record, len + 1);
    if (space == NULL) return damaged(r, "a record is too long", why);
    err = read_raw(r, space, len, why);
    if (err) return err;
    crypto_generichash_update(r->hash, (unsigned char *)head, sizeof(head));
    size_t hashed = head[0] == 'Z' ? MIN(len, (uint64_t)TRAILER_BYTES) : len;
    crypto_generichash_update(r->hash, (unsigned char *)space, hashed);

    struct cutter cutter = {.rest = {space, len}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].kind != head[0]) continue;
        if (kinds[i].take(r, &cutter, record_out) && !cutter.bad && cutter.rest.len == 0) return OK;
        return damaged(r,
                       head[0] == 'Z' ? "its checksum or counts do not match"
                                      : "a record is "
                                        "unreadable",
                       why);
    }
    return damaged(r, "a record is of no known kind", why);
}

void dump_reader_release(struct dump_reader *r)
{
    if (r->file) fclose(r->file);
    mem_free(r->hash);
    buf_release(&r->record);
    arena_release(&r->arena);
    *r = (struct dump_reader){0};
}
