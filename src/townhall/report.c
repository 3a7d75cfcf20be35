/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/report.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/embedded.h"
#include "base/version.h"
#include "io/file.h"

enum {
    FILE_BYTES_MAX = 1 << 30,
    PAGE_HOURS_MAX = 1500, /* more points than that nobody sees; needs.csv has them all */
};

/* --- files --- */

enum err report_folder(const char *dir, struct why *why)
{
    struct stat is;
    if (mkdir(dir, 0777) == 0) return OK;
    if (errno != EEXIST)
        return why_set(why, ERR_IO, "cannot make the folder %s: %s", dir, strerror(errno));
    if (stat(dir, &is) != 0 || !S_ISDIR(is.st_mode))
        return why_set(why, ERR_IO, "%s is no folder", dir);
    return OK;
}

enum err report_put(const char *dir, const char *name, const struct buf *bytes, struct why *why)
{
    if (bytes->failed)
        return why_set(why, ERR_LIMIT, "%s/%s would be larger than 1 GiB", dir, name);
    struct buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/%s", dir, name);
    int fd = path.failed ? -1 : open(path.at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool fine = fd >= 0 && file_write(fd, (struct str){bytes->at, bytes->len});
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && fine) {
        error = errno;
        fine = false;
    }
    buf_release(&path);
    if (fine) return OK;
    return why_set(why, ERR_IO, "cannot write %s/%s: %s", dir, name, strerror(error));
}

enum err report_page(const char *dir, const struct buf *data, struct why *why)
{
    struct str page = embedded_find(STR("src/townhall/report.html")),
               mark = STR("{\"kind\":\"none\"}");
    size_t at = str_find(page, mark);
    ASSERT(at < page.len);
    struct buf whole;
    buf_init(&whole, FILE_BYTES_MAX);
    whole.failed = data->failed;
    buf_add_str(&whole, str_head(page, at));
    /* Inside <script> no text may end it, and JSON can say `<` otherwise (HTML, 4.12.1.3). */
    struct str rest = buf_str(data);
    while (rest.len > 0) {
        size_t plain = str_find_byte(rest, '<');
        buf_add_str(&whole, str_head(rest, plain));
        if (plain < rest.len) buf_add_str(&whole, STR("\\u003c"));
        rest = str_from(rest, plain + 1);
    }
    buf_add_str(&whole, str_from(page, at + mark.len));
    enum err err = report_put(dir, "report.html", &whole, why);
    buf_release(&whole);
    return err;
}

void report_json_figure(struct json_out *out, const char *key, double value)
{
    if (isfinite(value))
        json_put_double(out, key, value);
    else
        json_put_null(out, key);
}

void report_csv_figure(struct buf *csv, double value)
{
    buf_add_byte(csv, ',');
    if (isfinite(value)) buf_printf(csv, "%.6g", value);
}

/* --- a study as JSON --- */

void report_json_plan(struct json_out *out, const struct study_plan *plan)
{
    for (int i = 0; i < STUDY_OPTIONS; i++)
        json_put_i64(out, study_options[i].name, study_chosen(plan, i));
}

void report_json_mind(struct json_out *out, bool model)
{
    json_put_str(out, "mind", model ? STR("model") : STR("rule"));
}

void report_json_model(struct json_out *out, struct str name, const struct mind_figures *figures)
{
    json_open(out, "model", '{');
    json_put_str(out, "name", name);
    json_put_u64(out, "asked", figures->asked);
    json_put_u64(out, "decided", figures->how[DECIDED_BY_MODEL]);
    json_put_u64(out, "repaired", figures->repaired);
    json_open(out, "rules_decided", '{');
    for (int how = DECIDED_BY_MODEL + 1; how < DECIDED_HOWS; how++)
        json_put_u64(out, decided_how_name((enum decided_how)how), figures->how[how]);
    json_close(out, '}');
    json_put_u64(out, "from_journal", figures->from_journal);
    json_put_u64(out, "input_tokens", figures->input);
    json_put_u64(out, "output_tokens", figures->output);
    json_put_bool(out, "tokens_estimated", figures->estimated);
    report_json_figure(out, "cost", figures->unpriced ? NAN : (double)figures->micro / 1e6);
    json_close(out, '}');
}

void report_json_measures(struct json_out *out)
{
    json_open(out, "measures", '[');
    for (int i = 0; i < MEASURES; i++) {
        const struct measure *measure = &measures[i];
        json_open(out, NULL, '{');
        json_put_str(out, "name", str_of(measure->name));
        json_put_str(out, "unit", str_of(measure->unit));
        json_put_str(out, "unit_zh", str_of(measure->unit_zh));
        json_put_str(out, "english", str_of(measure->english));
        json_put_str(out, "chinese", str_of(measure->chinese));
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void put_hash(struct json_out *out, uint64_t hash)
{
    char hex[17];
    snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)hash);
    json_put_str(out, "hash", str_of(hex));
}

static void put_timing(struct json_out *out, const struct study *study, uint32_t threads)
{
    double wall_s = (double)study->wall_us / 1e6, cpu_s = (double)study->cpu_us / 1e6;
    json_open(out, "timing", '{');
    json_put_u64(out, "threads", threads);
    json_put_double(out, "wall_seconds", wall_s);
    json_put_double(out, "cpu_seconds", cpu_s);
    report_json_figure(out, "days_per_hour",
                       (double)study->minutes / MINUTES_PER_DAY / wall_s * 3600);
    report_json_figure(out, "cpu_ns_per_decision",
                       (double)study->cpu_us * 1000 / (double)study->tally.decisions);
    json_put_u64(out, "memory_bytes", study->bytes);
    json_close(out, '}');
}

static void put_totals(struct json_out *out, const struct town_tally *tally)
{
    json_open(out, "totals", '{');
    json_put_u64(out, "decisions", tally->decisions);
    json_put_u64(out, "failed", tally->failed);
    json_put_u64(out, "meals", tally->meals);
    json_put_u64(out, "meetings", tally->meetings);
    json_put_u64(out, "talks", tally->talks);
    json_put_u64(out, "posts", tally->posts);
    json_put_u64(out, "likes", tally->likes);
    json_put_u64(out, "comments", tally->comments);
    json_put_u64(out, "messages", tally->messages);
    json_put_u64(out, "follows", tally->follows);
    json_close(out, '}');
}

static void put_summary(struct json_out *out, const struct study *study, uint32_t threads)
{
    json_put_str(out, "version", str_of(version_text()));
    json_put_str(out, "commit", str_of(version_commit()));
    json_open(out, "settings", '{');
    json_put_u64(out, "seed", study->plan.town.seed);
    report_json_mind(out, study->model.len > 0);
    report_json_plan(out, &study->plan);
    json_close(out, '}');
    if (study->model.len) report_json_model(out, study->model, &study->mind);
    put_hash(out, study->hash);
    json_put_bool(out, "whole", study->whole);
    json_put_i64(out, "from", study->from);
    json_put_i64(out, "minutes", study->minutes);
    double values[MEASURES];
    study_measure(study, values);
    json_open(out, "values", '{');
    for (int i = 0; i < MEASURES; i++) report_json_figure(out, measures[i].name, values[i]);
    json_close(out, '}');
    put_totals(out, &study->tally);
    put_timing(out, study, threads);
}

static void put_activity(struct json_out *out, const struct study *study)
{
    json_open(out, "activity", '{');
    for (int deed = 1; deed < DEED_COUNT; deed++) {
        json_open(out, deed_info((enum deed)deed)->name, '[');
        for (int hour = 0; hour < 24; hour++)
            json_put_u64(out, NULL, study->tally.by_hour[hour][deed]);
        json_close(out, ']');
    }
    json_close(out, '}');
}

static void put_needs(struct json_out *out, const struct study *study)
{
    uint32_t step = study->hours / PAGE_HOURS_MAX + 1;
    json_put_u64(out, "needs_step_hours", step);
    json_open(out, "needs", '{');
    for (int need = 0; need < NEED_COUNT; need++) {
        json_open(out, need_name((enum need)need), '[');
        for (uint32_t hour = 0; hour < study->hours; hour += step) {
            const struct need_spread *seen = &study->need[hour][need];
            json_open(out, NULL, '[');
            json_put_u64(out, NULL, seen->mean);
            json_put_u64(out, NULL, seen->low);
            json_put_u64(out, NULL, seen->high);
            json_close(out, ']');
        }
        json_close(out, ']');
    }
    json_close(out, '}');
}

static void put_counts(struct json_out *out, const char *key, const uint64_t *counts, size_t len)
{
    while (len > 1 && counts[len - 1] == 0) len--;
    json_open(out, key, '[');
    for (size_t i = 0; i < len; i++) json_put_u64(out, NULL, counts[i]);
    json_close(out, ']');
}

static void put_days(struct json_out *out, const struct study *study)
{
    json_open(out, "days", '[');
    for (uint32_t i = 0; i < study->days; i++) {
        const struct study_day *day = &study->day[i];
        json_open(out, NULL, '{');
        json_put_u64(out, "posts", day->posts);
        json_put_u64(out, "likes", day->likes);
        json_put_u64(out, "comments", day->comments);
        json_put_u64(out, "messages", day->messages);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static enum err write_page(const char *dir, const struct study *study, uint32_t threads,
                           struct why *why)
{
    struct buf data;
    buf_init(&data, FILE_BYTES_MAX);
    struct json_out out = json_begin(&data);
    json_open(&out, NULL, '{');
    json_put_str(&out, "kind", STR("study"));
    put_summary(&out, study, threads);
    report_json_measures(&out);
    put_activity(&out, study);
    put_needs(&out, study);
    put_counts(&out, "degree", study->degree, COUNT_OF(study->degree));
    put_counts(&out, "cascade", study->cascade, COUNT_OF(study->cascade));
    put_days(&out, study);
    json_close(&out, '}');
    enum err err = report_page(dir, &data, why);
    buf_release(&data);
    return err;
}

static void write_summary(struct buf *file, const struct study *study, uint32_t threads)
{
    struct json_out out = json_begin(file);
    json_open(&out, NULL, '{');
    put_summary(&out, study, threads);
    json_close(&out, '}');
    buf_add_byte(file, '\n');
}

/* --- a study as tables --- */

static void write_activity(struct buf *csv, const struct study *study)
{
    buf_add_str(csv, STR("hour"));
    for (int deed = 1; deed < DEED_COUNT; deed++)
        buf_printf(csv, ",%s", deed_info((enum deed)deed)->name);
    for (int hour = 0; hour < 24; hour++) {
        buf_printf(csv, "\n%d", hour);
        for (int deed = 1; deed < DEED_COUNT; deed++)
            buf_printf(csv, ",%llu", (unsigned long long)study->tally.by_hour[hour][deed]);
    }
}

static void write_needs(struct buf *csv, const struct study *study)
{
    buf_add_str(csv, STR("day,hour,need,mean,quartile_1,median,quartile_3"));
    for (uint32_t i = 0; i < study->hours; i++) {
        int32_t at = study->from + ((int32_t)i + 1) * MINUTES_PER_HOUR;
        for (int need = 0; need < NEED_COUNT; need++) {
            const struct need_spread *seen = &study->need[i][need];
            buf_printf(csv, "\n%d,%d,%s,%u,%u,%u,%u", day_of(at), hour_of(at),
                       need_name((enum need)need), seen->mean, seen->low, seen->middle, seen->high);
        }
    }
}

static void write_relations(struct buf *csv, const struct study *study)
{
    buf_add_str(csv, STR("what,degree,count"));
    size_t last = STUDY_DEGREE_MAX;
    while (last > 0 && study->degree[last] == 0) last--;
    for (size_t i = 0; i <= last; i++)
        buf_printf(csv, "\nresidents,%zu,%llu", i, (unsigned long long)study->degree[i]);
    buf_printf(csv, "\nties,,%llu\nmutual_ties,,%llu", (unsigned long long)study->ties,
               (unsigned long long)study->mutual);
}

static void write_phone(struct buf *csv, const struct study *study)
{
    bool kept = study->plan.town.keep_effects;
    buf_add_str(csv, STR("day,posts,likes,comments,messages,openings,answered,unanswered_share,"
                         "repeats,repeat_share"));
    for (uint32_t i = 0; i < study->days; i++) {
        const struct study_day *day = &study->day[i];
        buf_printf(csv, "\n%u,%llu,%llu,%llu,%llu", i + 1, (unsigned long long)day->posts,
                   (unsigned long long)day->likes, (unsigned long long)day->comments,
                   (unsigned long long)day->messages);
        if (!kept) {
            buf_add_str(csv, STR(",,,,,"));
            continue;
        }
        double openings = (double)day->openings, messages = (double)day->messages;
        buf_printf(csv, ",%llu,%llu", (unsigned long long)day->openings,
                   (unsigned long long)day->answered);
        report_csv_figure(csv, (openings - (double)day->answered) / openings);
        buf_printf(csv, ",%llu", (unsigned long long)day->repeats);
        report_csv_figure(csv, (double)day->repeats / messages);
    }
}

static void write_cascades(struct buf *csv, const struct study *study)
{
    buf_add_str(csv, STR("likes_and_comments,posts"));
    for (size_t i = 0; i <= STUDY_CASCADE_MAX; i++)
        if (study->cascade[i])
            buf_printf(csv, "\n%zu,%llu", i, (unsigned long long)study->cascade[i]);
}

enum err report_study(const char *dir, const struct study *study, uint32_t threads, struct why *why)
{
    static const struct {
        const char *name;
        void (*write)(struct buf *csv, const struct study *study);
    } tables[] = {
        {"activity.csv", write_activity},   {"needs.csv", write_needs},
        {"relations.csv", write_relations}, {"phone.csv", write_phone},
        {"cascades.csv", write_cascades},
    };
    struct buf file;
    buf_init(&file, FILE_BYTES_MAX);
    write_summary(&file, study, threads);
    enum err err = report_put(dir, "summary.json", &file, why);
    for (size_t i = 0; i < COUNT_OF(tables) && !err; i++) {
        buf_reset(&file, FILE_BYTES_MAX);
        tables[i].write(&file, study);
        buf_add_byte(&file, '\n');
        err = report_put(dir, tables[i].name, &file, why);
    }
    buf_release(&file);
    return err ? err : write_page(dir, study, threads, why);
}
