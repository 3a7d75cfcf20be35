/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/mind_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/file.h"

enum { LINE_BYTES_MAX = 64 * 1024, PATH_BYTES = 4096, VERSION = 1 };
#define KIND "hutong town answers"

/* What stands there for a key. */
struct noted {
    char key[JOURNAL_KEY_BYTES];
    struct mind_answer answer;
};

struct mind_journal {
    pthread_mutex_t lock;
    struct arena arena;
    char path[PATH_BYTES]; /* for sentences */
    int fd;
    off_t end; /* behind the last whole line */
    bool writes;
    struct str model;
    struct map entries; /* of struct noted, in the arena */
};

/* --- reading --- */

static enum err broken(const struct mind_journal *journal, size_t number, struct why *why)
{
    return why_set(why, ERR_CORRUPT, "line %zu of %s is no answer of a model to a town", number,
                   journal->path);
}

static bool read_head(struct mind_journal *journal, const struct json *line)
{
    struct str kind, model;
    int64_t version;
    if (!json_as_str(json_get(line, "journal"), &kind) || !str_eq(kind, STR(KIND)) ||
        !json_as_i64(json_get(line, "version"), &version) || version != VERSION ||
        !json_as_str(json_get(line, "model"), &model))
        return false;
    journal->model = arena_copy(&journal->arena, model);
    return true;
}

static bool read_how(const struct json *line, enum decided_how *how_out)
{
    struct str name;
    if (!json_as_str(json_get(line, "how"), &name)) return false;
    for (int how = 0; how < DECIDED_HOWS; how++) {
        *how_out = (enum decided_how)how;
        if (str_eq(name, str_of(decided_how_name(*how_out)))) return true;
    }
    return false;
}

static bool read_tokens(const struct json *line, struct mind_answer *answer)
{
    answer->priced = json_as_u64(json_get(line, "micro"), &answer->micro);
    return json_as_u64(json_get(line, "input"), &answer->input) &&
           json_as_u64(json_get(line, "output"), &answer->output) &&
           json_as_bool(json_get(line, "estimated"), &answer->estimated) &&
           json_as_bool(json_get(line, "repaired"), &answer->repaired);
}

/* [minute of the day, quarters of an hour, what, with whom] */
static bool read_steps(const struct json *steps, struct decided *decided)
{
    *decided = (struct decided){.how = DECIDED_BY_MODEL, .choice = NO_CHOICE};
    for (const struct json *step = json_first(steps); step; step = json_after(step)) {
        static const uint64_t most[] = {MINUTES_PER_DAY - 1, UINT8_MAX, PLAN_KIND_COUNT - 1,
                                        UINT32_MAX};
        uint64_t number[COUNT_OF(most)];
        const struct json *value = json_first(step);
        for (size_t i = 0; i < COUNT_OF(most); i++, value = json_after(value))
            if (!value || !json_as_u64(value, &number[i]) || number[i] > most[i]) return false;
        if (decided->steps == PLAN_STEPS) return false;
        decided->step[decided->steps++] = (struct planned){.step = {.from_min = (uint16_t)number[0],
                                                                    .kind = (uint8_t)number[2],
                                                                    .quarters = (uint8_t)number[1]},
                                                           .who = (uint32_t)number[3]};
    }
    return decided->steps > 0;
}

static bool read_entry(const struct json *line, struct noted *entry)
{
    enum decided_how how;
    struct str key;
    int64_t choice, minutes;
    const struct json *steps = json_get(line, "steps");
    if (!json_as_str(json_get(line, "key"), &key) || key.len != JOURNAL_KEY_BYTES - 1 ||
        !read_how(line, &how) || !read_tokens(line, &entry->answer))
        return false;
    str_copy(entry->key, sizeof(entry->key), key);
    if (how != DECIDED_BY_MODEL) {
        entry->answer.decided = undecided(how);
        return true;
    }
    if (steps) return read_steps(steps, &entry->answer.decided);
    if (!json_as_i64(json_get(line, "choice"), &choice) || choice < 0 || choice >= OPTIONS_MAX ||
        !json_as_i64(json_get(line, "minutes"), &minutes) || minutes < 0 || minutes > UINT16_MAX)
        return false;
    entry->answer.decided =
        (struct decided){.how = how, .choice = (uint8_t)choice, .minutes = (uint16_t)minutes};
    return true;
}

static enum err read_line(struct mind_journal *journal, struct str text, size_t number,
                          struct why *why)
{
    struct json *line = NULL;
    struct why ignored;
    struct noted entry = {0};
    if (json_parse(text, &line, NULL, &ignored) != OK) return broken(journal, number, why);
    bool fine = number == 1 ? read_head(journal, line) : read_entry(line, &entry);
    json_free(line);
    if (!fine) return broken(journal, number, why);
    /* The first of a key counts: nobody asked again while it stood there. */
    if (number == 1 || map_find(&journal->entries, str_of(entry.key))) return OK;
    struct noted *own = ARENA_NEW(&journal->arena, struct noted);
    *own = entry;
    map_add(&journal->entries, str_of(own->key), own);
    return OK;
}

/* `*end_out`: behind the last whole line. */
static enum err read_lines(struct mind_journal *journal, FILE *file, off_t *end_out,
                           struct why *why)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t len;
    enum err err = OK;
    *end_out = 0;
    while (!err && (len = getline(&line, &room, file)) > 0) {
        if (line[len - 1] != '\n') {
            if (number == 0) err = broken(journal, 1, why); /* a file of something else */
            break;
        }
        err = read_line(journal, (struct str){line, (size_t)len - 1}, ++number, why);
        *end_out += len;
    }
    if (!err && ferror(file)) err = why_set(why, ERR_IO, "cannot read %s", journal->path);
    free(line); /* getline() took it */
    return err;
}

/* Reads through a stream of its own, so that the journal's file stays open. */
static enum err read_file(struct mind_journal *journal, off_t *end_out, struct why *why)
{
    int own = dup(journal->fd);
    FILE *file = own >= 0 ? fdopen(own, "r") : NULL;
    if (!file) {
        if (own >= 0) close(own);
        return why_set(why, ERR_IO, "cannot read %s: %s", journal->path, strerror(errno));
    }
    enum err err = read_lines(journal, file, end_out, why);
    fclose(file);
    return err;
}

bool mind_journal_find(struct mind_journal *journal, const char *key, uint32_t options,
                       struct mind_answer *answer_out)
{
    pthread_mutex_lock(&journal->lock);
    const struct noted *entry = map_find(&journal->entries, str_of(key));
    pthread_mutex_unlock(&journal->lock);
    if (!entry) return false;
    *answer_out = entry->answer;
    /* Somebody may have written into it by hand. */
    const struct decided *decided = &entry->answer.decided;
    bool fits = options > 0 ? decided->choice < options : decided->steps > 0;
    if (decided->how == DECIDED_BY_MODEL && !fits) answer_out->decided = undecided(DECIDED_UNFIT);
    return true;
}

size_t mind_journal_count(const struct mind_journal *journal)
{
    return journal->entries.count;
}

struct str mind_journal_model(const struct mind_journal *journal)
{
    return journal->model;
}

/* --- writing --- */

static enum err append(struct mind_journal *journal, const struct buf *line, struct why *why)
{
    pthread_mutex_lock(&journal->lock);
    bool fine = !line->failed && file_write(journal->fd, buf_str(line));
    int error = line->failed ? EFBIG : errno;
    if (fine)
        journal->end += (off_t)line->len;
    else if (ftruncate(journal->fd, journal->end) != 0) /* the next line begins on its own */
        log_warn("minds.journal", "path=\"%s\" reason=\"%s\"", journal->path, strerror(errno));
    pthread_mutex_unlock(&journal->lock);
    if (fine) return OK;
    return why_set(why, ERR_IO, "cannot write %s: %s", journal->path, strerror(error));
}

static enum err write_head(struct mind_journal *journal, struct why *why)
{
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    struct json_out out = json_begin(&line);
    json_open(&out, NULL, '{');
    json_put_str(&out, "journal", STR(KIND));
    json_put_u64(&out, "version", VERSION);
    json_put_str(&out, "model", journal->model);
    json_close(&out, '}');
    buf_add_byte(&line, '\n');
    enum err err = append(journal, &line, why);
    buf_release(&line);
    return err;
}

static void put_steps(struct json_out *out, const struct decided *decided)
{
    json_open(out, "steps", '[');
    for (uint32_t i = 0; i < decided->steps; i++) {
        const struct planned *planned = &decided->step[i];
        json_open(out, NULL, '[');
        json_put_u64(out, NULL, planned->step.from_min);
        json_put_u64(out, NULL, planned->step.quarters);
        json_put_u64(out, NULL, planned->step.kind);
        json_put_u64(out, NULL, planned->who);
        json_close(out, ']');
    }
    json_close(out, ']');
}

static void put_answer(struct json_out *out, const struct mind_answer *answer)
{
    json_put_str(out, "how", str_of(decided_how_name(answer->decided.how)));
    if (answer->decided.steps > 0) {
        put_steps(out, &answer->decided);
    } else if (answer->decided.how == DECIDED_BY_MODEL) {
        json_put_u64(out, "choice", answer->decided.choice);
        json_put_u64(out, "minutes", answer->decided.minutes);
    }
    json_put_u64(out, "input", answer->input);
    json_put_u64(out, "output", answer->output);
    json_put_bool(out, "estimated", answer->estimated);
    json_put_bool(out, "repaired", answer->repaired);
    if (answer->priced)
        json_put_u64(out, "micro", answer->micro);
    else
        json_put_null(out, "micro");
}

enum err mind_journal_add(struct mind_journal *journal, const struct mind_line *asked,
                          struct why *why)
{
    if (!journal->writes) return OK;
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    struct json_out out = json_begin(&line);
    json_open(&out, NULL, '{');
    json_put_str(&out, "key", str_of(asked->key));
    json_put_i64(&out, "minute", asked->at);
    json_put_u64(&out, "resident", asked->who);
    put_answer(&out, asked->answer);
    json_put_str(&out, "site", asked->site);
    json_put_str(&out, "model", asked->model);
    json_put_str(&out, "said", asked->said);
    json_close(&out, '}');
    buf_add_byte(&line, '\n');
    enum err err = append(journal, &line, why);
    buf_release(&line);
    return err;
}

/* --- opening and closing --- */

static enum err open_file(struct mind_journal *journal, struct why *why)
{
    struct stat is;
    int flags = journal->writes ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY;
    journal->fd = open(journal->path, flags | O_CLOEXEC | O_NONBLOCK, 0666);
    if (journal->fd < 0)
        return why_set(why, ERR_IO, "cannot open %s: %s", journal->path, strerror(errno));
    if (fstat(journal->fd, &is) != 0 || !S_ISREG(is.st_mode))
        return why_set(why, ERR_IO, "%s is no file", journal->path);
    if (journal->writes && flock(journal->fd, LOCK_EX | LOCK_NB) != 0)
        return why_set(why, ERR_BUSY, "another process writes %s", journal->path);
    return OK;
}

static enum err check_model(struct mind_journal *journal, struct str model, struct why *why)
{
    if (journal->model.len == 0) journal->model = arena_copy(&journal->arena, model);
    if (model.len == 0 || str_eq(journal->model, model)) return OK;
    return why_set(why, ERR_CONFLICT,
                   "%s has answers of %.*s, and this run asks %.*s: name another file, or that "
                   "model with --model",
                   journal->path, STR_ARGS(journal->model), STR_ARGS(model));
}

enum err mind_journal_open(const char *path, struct str model, struct mind_journal **journal_out,
                           struct why *why)
{
    struct mind_journal *journal = NEW(struct mind_journal);
    pthread_mutex_init(&journal->lock, NULL);
    str_copy(journal->path, sizeof(journal->path), str_of(path));
    journal->writes = model.len > 0;
    journal->fd = -1;
    enum err err = open_file(journal, why);
    if (!err) err = read_file(journal, &journal->end, why);
    bool fresh = !err && journal->model.len == 0;
    if (!err) err = check_model(journal, model, why);
    if (!err && journal->writes && ftruncate(journal->fd, journal->end) != 0)
        err = why_set(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (!err && journal->writes && fresh) err = write_head(journal, why);
    if (err)
        mind_journal_close(journal);
    else
        *journal_out = journal;
    return err;
}

void mind_journal_close(struct mind_journal *journal)
{
    if (!journal) return;
    if (journal->fd >= 0) close(journal->fd); /* the lock goes with it */
    map_release(&journal->entries);
    arena_release(&journal->arena);
    pthread_mutex_destroy(&journal->lock);
    mem_free(journal);
}
