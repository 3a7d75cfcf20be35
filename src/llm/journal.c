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
};

struct journal {
    pthread_mutex_t lock;
    int fd; /* -1: nothing is recorded */
    bool replays;
    bool complained; /* of a write that failed */
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

void journal_key(const struct llm_request *request, char text[JOURNAL_KEY_BYTES])
{
    struct key key = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x9ae16a3b2f90404f)};
    struct buf mark;
    buf_init(&mark, LINE_BYTES_MAX);
    llm_request_mark(&mark, request);
    mix(&key, mark.at, mark.len);
    buf_release(&mark);
    snprintf(text, JOURNAL_KEY_BYTES, "%016llx%016llx", (unsigned long long)key.a,
             (unsigned long long)key.b);
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

static void build_line(struct buf *line, const char *key, struct str text, struct str reasoning,
                       struct str tools, const struct llm_result *result)
{
    struct json_out out = json_begin(line);
    json_open(&out, NULL, '{');
    json_put_str(&out, "key", str_of(key));
    json_put_str(&out, "site", result->site);
    json_put_str(&out, "model", result->model);
    json_put_i64(&out, "end", result->end);
    json_put_i64(&out, "finish", result->finish);
    json_put_i64(&out, "fault", result->fault);
    json_put_str(&out, "why", str_of(result->why.text));
    put_usage(&out, &result->usage);
    json_put_str(&out, "text", text);
    json_put_str(&out, "reasoning", reasoning);
    json_open(&out, "tools", '[');
    if (tools.len > 0) buf_add_str(line, tools);
    json_close(&out, ']');
    json_close(&out, '}');
    buf_add_byte(line, '\n');
}

void journal_write(struct journal *journal, const char *key, struct str text, struct str reasoning,
                   struct str tools, const struct llm_result *result)
{
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    build_line(&line, key, text, reasoning, tools, result);
    pthread_mutex_lock(&journal->lock);
    ssize_t written = write(journal->fd, line.at, line.len);
    bool failed = line.failed || written != (ssize_t)line.len;
    if (failed && !journal->complained) {
        journal->complained = true;
        log_error("llm.record", "reason=\"%s\"", line.failed ? "too long" : strerror(errno));
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
}

static enum err read_line(struct journal *journal, struct str line, size_t number, struct why *why)
{
    struct json *entry = NULL;
    struct why ignored;
    enum err err = json_parse(line, &entry, NULL, &ignored);
    struct str key = err ? (struct str){0} : llm_json_text(entry, "key");
    int64_t end = err ? -1 : llm_json_count(entry, "end");
    if (key.len != JOURNAL_KEY_BYTES - 1 || end < 0 || end > LLM_FAILED ||
        llm_json_count(entry, "fault") < 0 || llm_json_count(entry, "fault") >= LLM_FAULT_COUNT) {
        json_free(entry);
        return why_set(why, ERR_INVALID, "line %zu of llm-replay is no record of a model's answer",
                       number);
    }
    add_entry(journal, key, entry);
    return OK;
}

/* A last line without its end was being written when the program died: left out. */
static enum err read_lines(struct journal *journal, struct str text, struct why *why)
{
    enum err err = OK;
    for (size_t number = 1; !err && text.len > 0; number++) {
        size_t len = str_find_byte(text, '\n');
        if (len == text.len) break;
        err = read_line(journal, str_head(text, len), number, why);
        text = str_from(text, len + 1);
    }
    return err;
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

const struct json *journal_next(struct journal *journal, const char *key)
{
    pthread_mutex_lock(&journal->lock);
    struct tale *tale = map_find(&journal->tales, str_of(key));
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

void journal_result(const struct json *entry, struct llm_result *result)
{
    const struct json *usage = json_get(entry, "usage");
    result->end = (enum llm_end)llm_json_count(entry, "end");
    result->finish = (enum llm_finish)MAX(llm_json_count(entry, "finish"), 0);
    result->fault = (enum llm_fault)llm_json_count(entry, "fault");
    result->site = llm_json_text(entry, "site");
    result->model = llm_json_text(entry, "model");
    struct str why = llm_json_text(entry, "why");
    if (why.len > 0) why_write(&result->why, "%.*s", STR_ARGS(why));
    result->usage = (struct llm_usage){
        llm_json_count(usage, "input"), llm_json_count(usage, "output"),
        llm_json_count(usage, "cached"), llm_json_count(usage, "reasoning"), false};
    if (!json_as_bool(json_get(usage, "estimated"), &result->usage.estimated)) {
        result->usage.estimated = true;
    }
}

/* --- opening --- */

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
    if (!err && record.len > 0) {
        char name[4096];
        str_copy(name, sizeof(name), record);
        journal->fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (journal->fd < 0) {
            err = why_set(why, ERR_IO, "cannot write llm-record %s: %s", name, strerror(errno));
        }
    }
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
