/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "llm/reader.h"

enum { REPLAY_BYTES_MAX = 1 << 30, LINE_BYTES_MAX = 64 * 1024 * 1024 };

/* Everything recorded for one key, in order. */
struct tale {
    char key[JOURNAL_KEY_BYTES];
    struct json **entries; /* owned, and each of them */
    size_t count, next;
    bool lasts; /* its last entry is given again and again */
};

struct journal {
    pthread_mutex_t lock;
    int fd; /* -1: nothing is recorded */
    bool replays;
    bool complained; /* of a write that failed */
    bool spoilt;     /* the file ends in half a line that would not go */
    struct map tales;
};

/* --- keys --- */

/* FNV-1a (Fowler, Noll, Vo), two of 64 bits from different beginnings: not against attackers, only
 * so that two prompts of a run do not meet. */
struct key {
    uint64_t a, b;
};

static void mix(struct key *key, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) {
        key->a = (key->a ^ at[i]) * UINT64_C(0x100000001b3);
        key->b = (key->b ^ at[i]) * UINT64_C(0x100000001b3);
        key->b ^= key->b >> 29;
    }
}

/* Over all of `mark`, which is released. */
static void write_key(struct buf *mark, char text[JOURNAL_KEY_BYTES])
{
    struct key key = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x9ae16a3b2f90404f)};
    mix(&key, mark->at, mark->len);
    buf_release(mark);
    snprintf(text, JOURNAL_KEY_BYTES, "%016llx%016llx", (unsigned long long)key.a,
             (unsigned long long)key.b);
}

void journal_key(const struct llm_request *request, char text[JOURNAL_KEY_BYTES])
{
    struct buf mark;
    buf_init(&mark, LINE_BYTES_MAX);
    llm_request_mark(&mark, request);
    write_key(&mark, text);
}

/* The mark of a chat begins with none of these words. */
void journal_key_embedding(const struct llm_embed_request *request, char text[JOURNAL_KEY_BYTES])
{
    struct buf mark;
    buf_init(&mark, LINE_BYTES_MAX);
    buf_printf(&mark, "embedding %d %lld %zu:%.*s", (int)request->query,
               (long long)request->dimensions, request->model.len, STR_ARGS(request->model));
    for (size_t i = 0; i < request->count; i++) {
        buf_printf(&mark, " %zu:", request->texts[i].len);
        buf_add_str(&mark, request->texts[i]);
    }
    write_key(&mark, text);
}

void journal_key_models(struct str site, char text[JOURNAL_KEY_BYTES])
{
    struct buf mark;
    buf_init(&mark, LINE_BYTES_MAX);
    buf_printf(&mark, "models %.*s", STR_ARGS(site));
    write_key(&mark, text);
}

/* --- writing --- */

bool journal_records(const struct journal *journal)
{
    return journal && journal->fd >= 0;
}

bool journal_replays(const struct journal *journal)
{
    return journal && journal->replays;
}

static void put_usage(struct json_out *out, const struct llm_usage *usage)
{
    json_open(out, "usage", '{');
    json_put_i64(out, "input", usage->input);
    json_put_i64(out, "output", usage->output);
    json_put_i64(out, "cached", usage->cached);
    json_put_i64(out, "reasoning", usage->reasoning);
    json_put_bool(out, "estimated", usage->estimated);
    json_close(out, '}');
}

void journal_add_tool(struct buf *tools, const struct llm_tool_piece *piece)
{
    struct json_out out = json_begin(tools);
    out.comma = tools->len > 0;
    json_open(&out, NULL, '{');
    json_put_i64(&out, "index", piece->index);
    json_put_str(&out, "id", piece->id);
    json_put_str(&out, "name", piece->name);
    json_put_str(&out, "arguments", piece->arguments);
    json_close(&out, '}');
}

void journal_add_spent(struct buf *spent, struct str site, struct str model,
                       const struct llm_usage *usage)
{
    struct json_out out = json_begin(spent);
    out.comma = spent->len > 0;
    json_open(&out, NULL, '{');
    json_put_str(&out, "site", site);
    json_put_str(&out, "model", model);
    put_usage(&out, usage);
    json_close(&out, '}');
}

/* The floats' bytes in hex: exact, and shorter than their digits. */
void journal_add_vector(struct buf *vectors, size_t index, const float *values, size_t count)
{
    size_t bytes = count * sizeof(*values);
    buf_printf(vectors, "%s[%zu,\"", vectors->len > 0 ? "," : "", index);
    char *to = buf_space(vectors, 2 * bytes);
    if (to == NULL) return;
    hex_write(to, values, bytes);
    buf_grew(vectors, 2 * bytes);
    buf_add_str(vectors, STR("\"]"));
}

void journal_add_model(struct buf *models, struct str id, int64_t context_tokens)
{
    struct json_out out = json_begin(models);
    out.comma = models->len > 0;
    json_open(&out, NULL, '{');
    json_put_str(&out, "id", id);
    json_put_i64(&out, "context", context_tokens);
    json_close(&out, '}');
}

static void put_list(struct json_out *out, const char *name, struct str pieces)
{
    json_open(out, name, '[');
    if (pieces.len > 0) buf_add_str(out->buf, pieces);
    json_close(out, ']');
}

static void put_said(struct json_out *out, const struct journal_said *said)
{
    switch (said->kind) {
    case JOURNAL_ANSWER:
        json_put_str(out, "text", said->text);
        json_put_str(out, "reasoning", said->reasoning);
        put_list(out, "tools", said->tools);
        if (said->spent.len > 0) put_list(out, "spent", said->spent);
        return;
    case JOURNAL_EMBEDDING: put_list(out, "vectors", said->vectors); return;
    case JOURNAL_MODELS: put_list(out, "models", said->models); return;
    }
}

static void build_line(struct buf *line, const char *key, const struct journal_said *said,
                       const struct llm_result *result)
{
    static const char *const kinds[] = {NULL, "embedding", "models"};
    struct json_out out = json_begin(line);
    json_open(&out, NULL, '{');
    if (kinds[said->kind]) json_put_str(&out, "kind", str_of(kinds[said->kind]));
    json_put_str(&out, "key", str_of(key));
    json_put_str(&out, "site", result->site);
    json_put_str(&out, "model", result->model);
    json_put_i64(&out, "end", result->end);
    json_put_i64(&out, "finish", result->finish);
    json_put_i64(&out, "fault", result->fault);
    json_put_str(&out, "why", str_of(result->why.text));
    if (result->instead.len > 0) json_put_str(&out, "instead", result->instead);
    put_usage(&out, &result->usage);
    put_said(&out, said);
    json_close(&out, '}');
    buf_add_byte(line, '\n');
}

/* What got into the file of a line that did not fit: taken back, or the next line would be glued to
 * it. Not when another program has written behind it. */
static void take_back(struct journal *journal, size_t written)
{
    off_t end = lseek(journal->fd, 0, SEEK_CUR);
    struct stat stat;
    bool last = end >= 0 && fstat(journal->fd, &stat) == 0 && stat.st_size == end;
    if (last && ftruncate(journal->fd, end - (off_t)written) == 0) return;
    log_error("llm.record",
              "reason=\"half a line could not be taken back; nothing more is recorded\"");
    journal->spoilt = true;
}

/* NULL, or why not. */
static const char *write_line(struct journal *journal, struct str line)
{
    if (journal->spoilt) return "spoilt";
    ssize_t written = write(journal->fd, line.at, line.len);
    if (written < 0) return strerror(errno);
    if ((size_t)written == line.len) return NULL;
    take_back(journal, (size_t)written);
    return "no room for the whole line";
}

void journal_write(struct journal *journal, const char *key, const struct journal_said *said,
                   const struct llm_result *result)
{
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    build_line(&line, key, said, result);
    bool too_long = line.failed || said->too_long; /* half a line would spoil the file */
    pthread_mutex_lock(&journal->lock);
    const char *reason = too_long ? "too long" : write_line(journal, buf_str(&line));
    if (reason && !journal->complained) {
        journal->complained = true;
        log_error("llm.record", "reason=\"%s\"", reason);
    }
    pthread_mutex_unlock(&journal->lock);
    buf_release(&line);
}

/* --- reading --- */

static void add_entry(struct journal *journal, struct str key, struct json *entry)
{
    struct tale *tale = map_find(&journal->tales, key);
    if (tale == NULL) {
        tale = NEW(struct tale);
        str_copy(tale->key, sizeof(tale->key), key);
        map_add(&journal->tales, str_of(tale->key), tale);
    }
    tale->entries = mem_resize(tale->entries, (tale->count + 1) * sizeof(*tale->entries));
    tale->entries[tale->count++] = entry;
    tale->lasts = str_eq(llm_json_text(entry, "kind"), STR("models"));
}

/* False: it is no record. */
static bool read_line(struct journal *journal, struct str line)
{
    struct json *entry = NULL;
    struct why ignored;
    enum err err = json_parse(line, &entry, NULL, &ignored);
    struct str key = err ? (struct str){0} : llm_json_text(entry, "key");
    int64_t end = err ? -1 : llm_json_count(entry, "end");
    if (key.len != JOURNAL_KEY_BYTES - 1 || end < 0 || end > LLM_FAILED ||
        llm_json_count(entry, "fault") < 0 || llm_json_count(entry, "fault") >= LLM_FAULT_COUNT) {
        json_free(entry);
        return false;
    }
    add_entry(journal, key, entry);
    return true;
}

/* A last line without its end was being written when the program died: left out unless it is all
 * there. */
static enum err read_lines(struct journal *journal, struct str text, struct why *why)
{
    for (size_t number = 1; text.len > 0; number++) {
        size_t len = str_find_byte(text, '\n');
        bool torn = len == text.len;
        if (!read_line(journal, str_head(text, len))) {
            if (!torn) {
                return why_set(why, ERR_INVALID,
                               "line %zu of llm-replay is no record of a model's answer", number);
            }
            log_warn("llm.replay", "line=%zu reason=\"broken off; left out\"", number);
        }
        text = str_from(text, len + 1);
    }
    return OK;
}

static enum err load(struct journal *journal, struct str path, struct why *why)
{
    char name[4096];
    str_copy(name, sizeof(name), path);
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        return why_set(why, ERR_IO, "cannot read llm-replay %s: %s", name, strerror(errno));
    }
    struct buf text;
    buf_init(&text, REPLAY_BYTES_MAX);
    char bytes[16 * 1024];
    size_t len;
    while ((len = fread(bytes, 1, sizeof(bytes), file)) > 0) buf_add(&text, bytes, len);
    fclose(file);
    enum err err = text.failed ? why_set(why, ERR_LIMIT, "llm-replay %s is larger than 1 GiB", name)
                               : read_lines(journal, buf_str(&text), why);
    buf_release(&text);
    return err;
}

static struct llm_usage read_usage(const struct json *entry)
{
    const struct json *at = json_get(entry, "usage");
    struct llm_usage usage = {llm_json_count(at, "input"), llm_json_count(at, "output"),
                              llm_json_count(at, "cached"), llm_json_count(at, "reasoning"), true};
    (void)!json_as_bool(json_get(at, "estimated"), &usage.estimated);
    return usage;
}

void journal_spent(const struct json *entry,
                   void (*each)(void *ctx, struct str site, struct str model,
                                const struct llm_usage *),
                   void *ctx)
{
    const struct json *at = json_first(json_get(entry, "spent"));
    for (; at; at = json_after(at)) {
        struct llm_usage usage = read_usage(at);
        each(ctx, llm_json_text(at, "site"), llm_json_text(at, "model"), &usage);
    }
}

void journal_result(const struct json *entry, struct llm_result *result)
{
    result->end = (enum llm_end)llm_json_count(entry, "end");
    result->finish = (enum llm_finish)MAX(llm_json_count(entry, "finish"), 0);
    result->fault = (enum llm_fault)llm_json_count(entry, "fault");
    result->site = llm_json_text(entry, "site");
    result->model = llm_json_text(entry, "model");
    result->instead = llm_json_text(entry, "instead");
    struct str why = llm_json_text(entry, "why");
    if (why.len > 0) why_write(&result->why, "%.*s", STR_ARGS(why));
    result->usage = read_usage(entry);
}

const struct json *journal_next(struct journal *journal, const char *key)
{
    pthread_mutex_lock(&journal->lock);
    struct tale *tale = map_find(&journal->tales, str_of(key));
    if (tale && tale->lasts && tale->next == tale->count) tale->next--;
    const struct json *entry =
        tale && tale->next < tale->count ? tale->entries[tale->next++] : NULL;
    pthread_mutex_unlock(&journal->lock);
    return entry;
}

struct str journal_text(const struct json *entry)
{
    return llm_json_text(entry, "text");
}

struct str journal_reasoning(const struct json *entry)
{
    return llm_json_text(entry, "reasoning");
}

void journal_tools(const struct json *entry, void (*each)(void *ctx, const struct llm_tool_piece *),
                   void *ctx)
{
    const struct json *tool = json_first(json_get(entry, "tools"));
    for (; tool; tool = json_after(tool)) {
        struct llm_tool_piece piece = {.index = (int)llm_json_count(tool, "index"),
                                       .id = llm_json_text(tool, "id"),
                                       .name = llm_json_text(tool, "name"),
                                       .arguments = llm_json_text(tool, "arguments")};
        each(ctx, &piece);
    }
}

void journal_vectors(const struct json *entry, llm_each_vector *each, void *ctx)
{
    struct buf values;
    buf_init(&values, LINE_BYTES_MAX);
    const struct json *vector = json_first(json_get(entry, "vectors"));
    for (; vector; vector = json_after(vector)) {
        const struct json *index = json_first(vector);
        uint64_t number = 0;
        struct str hex = {0};
        bool fits = json_as_u64(index, &number) && json_as_str(json_after(index), &hex);
        buf_reset(&values, LINE_BYTES_MAX);
        void *to = buf_space(&values, hex.len / 2);
        if (!fits || to == NULL || !hex_read(hex, to, hex.len / 2)) continue;
        each(ctx, (size_t)number, to, hex.len / 2 / sizeof(float));
    }
    buf_release(&values);
}

void journal_models(const struct json *entry, llm_each_model *each, void *ctx)
{
    const struct json *model = json_first(json_get(entry, "models"));
    for (; model; model = json_after(model)) {
        each(ctx, llm_json_text(model, "id"), llm_json_count(model, "context"));
    }
}

/* --- opening --- */

/* Where the last line begins; the file's size when that line has its end. -1: cannot be read. */
static off_t last_line(int fd, off_t size)
{
    char bytes[4096];
    off_t at = size;
    while (at > 0) {
        size_t len = (size_t)MIN(at, (off_t)sizeof(bytes));
        if (pread(fd, bytes, len, at - (off_t)len) != (ssize_t)len) return -1;
        while (len > 0 && bytes[len - 1] != '\n') len--, at--;
        if (len > 0) return at;
    }
    return 0;
}

/* Begins as our lines do: what else ends without a line end is a file of somebody else's. */
static bool is_ours(struct str tail)
{
    static const char *const starts[] = {"{\"key\":\"", "{\"kind\":\""};
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        struct str start = str_of(starts[i]);
        size_t len = MIN(start.len, tail.len);
        if (str_eq(str_head(tail, len), str_head(start, len))) return true;
    }
    return false;
}

/*
 * Half a line at the end, of a program that died or a disk that was full, would be glued to the
 * next and make the whole file unreadable: it goes.
 */
static enum err mend_end(int fd, const char *name, struct why *why)
{
    struct stat stat;
    char tail[16];
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) return OK;
    off_t at = last_line(fd, stat.st_size), torn = stat.st_size - at;
    if (at == stat.st_size) return OK;
    ssize_t len = at < 0 ? -1 : pread(fd, tail, sizeof(tail), at);
    if (len < 0)
        return why_set(why, ERR_IO, "cannot read llm-record %s: %s", name, strerror(errno));
    if (!is_ours((struct str){tail, (size_t)len})) {
        return why_set(why, ERR_INVALID, "llm-record %s is no record of models' answers", name);
    }
    if (ftruncate(fd, at) != 0) {
        return why_set(why, ERR_IO, "cannot mend llm-record %s: %s", name, strerror(errno));
    }
    log_warn("llm.record", "file=%s bytes=%lld reason=\"half a line at the end was removed\"", name,
             (long long)torn);
    return OK;
}

static enum err open_record(struct journal *journal, struct str record, struct why *why)
{
    char name[4096];
    str_copy(name, sizeof(name), record);
    journal->fd = open(name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal->fd >= 0) return mend_end(journal->fd, name, why);
    return why_set(why, ERR_IO, "cannot write llm-record %s: %s", name, strerror(errno));
}

enum err journal_open(struct str record, struct str replay, struct journal **journal_out,
                      struct why *why)
{
    *journal_out = NULL;
    if (record.len == 0 && replay.len == 0) return OK;
    struct journal *journal = NEW(struct journal);
    pthread_mutex_init(&journal->lock, NULL);
    journal->fd = -1;
    journal->replays = replay.len > 0;
    enum err err = replay.len > 0 ? load(journal, replay, why) : OK;
    if (!err && record.len > 0) err = open_record(journal, record, why);
    if (err) {
        journal_close(journal);
        return err;
    }
    *journal_out = journal;
    return OK;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) return;
    size_t at = 0;
    struct tale *tale;
    while ((tale = map_next(&journal->tales, &at))) {
        for (size_t i = 0; i < tale->count; i++) json_free(tale->entries[i]);
        mem_free(tale->entries);
        mem_free(tale);
    }
    map_release(&journal->tales);
    if (journal->fd >= 0) close(journal->fd);
    pthread_mutex_destroy(&journal->lock);
    mem_free(journal);
}
