/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/experiment.h"

#include <math.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/mem.h"
#include "townhall/report.h"

enum { NAME_BYTES_MAX = 80 };

struct arm {
    struct str name;
    struct study_choices choices;
};

/* One arm with one seed. */
struct trial {
    bool done;
    uint64_t hash;
    double values[MEASURES];
    struct mind_figures mind;
};

struct experiment {
    struct arena arena;
    struct str name;
    uint64_t *seeds;
    uint32_t seed_count, arm_count;
    struct arm arms[ARMS_MAX];
    struct trial *trials; /* arm by arm, seed by seed */
    /* While it runs. */
    pthread_mutex_t lock;
    study_watch *watch;
    void *watch_ctx;
    int64_t minutes, minutes_all;
    bool stopped;
    struct minds *minds;
    enum err err; /* the first that failed */
    struct why why;
};

/* --- statistics --- */

/* The 97.5 % point of Student's t; between rows of the table the larger one, to be careful. */
static double t_point(double freedom)
{
    static const double small[] = {0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
                                   2.306, 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
                                   2.120, 2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069,
                                   2.064, 2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
    if (freedom < 1) return small[1];
    size_t whole = (size_t)freedom;
    if (whole < COUNT_OF(small)) return small[whole];
    return freedom < 40 ? 2.042 : freedom < 60 ? 2.021 : freedom < 120 ? 2.000 : 1.980;
}

struct spread spread_of(const double *values, size_t count)
{
    struct spread spread = {.mean = NAN, .sd = NAN, .low = NAN, .high = NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        spread.count++;
        sum += values[i];
    }
    if (spread.count == 0) return spread;
    spread.mean = sum / spread.count;
    if (spread.count == 1) return spread;
    for (size_t i = 0; i < count; i++) {
        double off = values[i] - spread.mean;
        if (isfinite(off)) squares += off * off;
    }
    spread.sd = sqrt(squares / (spread.count - 1));
    double half = t_point(spread.count - 1) * spread.sd / sqrt(spread.count);
    spread.low = spread.mean - half;
    spread.high = spread.mean + half;
    return spread;
}

struct spread spread_difference(const struct spread *a, const struct spread *b)
{
    struct spread spread = {.count = MIN(a->count, b->count),
                            .mean = b->mean - a->mean,
                            .sd = NAN,
                            .low = NAN,
                            .high = NAN};
    if (spread.count < 2) return spread;
    double va = a->sd * a->sd / a->count, vb = b->sd * b->sd / b->count, both = va + vb;
    double half = 0;
    if (both > 0) {
        double freedom = both * both / (va * va / (a->count - 1) + vb * vb / (b->count - 1));
        half = t_point(freedom) * sqrt(both);
    }
    spread.low = spread.mean - half;
    spread.high = spread.mean + half;
    return spread;
}

/* --- reading the file --- */

static enum err read_syntax(struct str text, struct json **tree_out, struct why *why)
{
    size_t at = 0, line = 1;
    struct why said;
    enum err err = json_parse(text, tree_out, &at, &said);
    if (!err) return OK;
    for (size_t i = 0; i < at && i < text.len; i++) line += text.at[i] == '\n';
    return why_set(why, ERR_INVALID, "line %zu is not JSON: %s", line, said.text);
}

/* A name people will read in tables. */
static enum err read_name(struct experiment *experiment, const struct json *value,
                          const char *field, struct str *name_out, struct why *why)
{
    struct str name;
    if (!json_as_str(value, &name) || name.len == 0 || name.len > NAME_BYTES_MAX)
        return why_set(why, ERR_INVALID, "%s must be a text of 1 to %d bytes", field,
                       NAME_BYTES_MAX);
    *name_out = arena_copy(&experiment->arena, name);
    return OK;
}

static enum err read_choice(struct study_choices *choices, const struct json *member,
                            const char *where, struct why *why)
{
    struct str mind;
    if (strcmp(json_name(member), "mind") == 0) {
        struct why unfit;
        if (!json_as_str(member, &mind)) mind = STR("no text");
        enum err bad = study_choose_mind(choices, mind, &unfit);
        return bad ? why_set(why, bad, "%s: %s", where, unfit.text) : OK;
    }
    int option = study_option_find(str_of(json_name(member)));
    if (option < 0) {
        char names[240] = "";
        size_t at = 0;
        for (int i = 0; i < STUDY_OPTIONS; i++)
            at += (size_t)snprintf(names + at, sizeof(names) - at, " %s", study_options[i].name);
        return why_set(why, ERR_INVALID, "%s has no setting \"%.40s\"; allowed:%s mind", where,
                       json_name(member), names);
    }
    int64_t value;
    struct why said;
    if (!json_as_i64(member, &value))
        return why_set(why, ERR_INVALID, "%s: %s must be a whole number from %d to %d", where,
                       json_name(member), study_options[option].least, study_options[option].most);
    enum err err = study_choose(choices, option, value, &said);
    return err ? why_set(why, err, "%s: %s", where, said.text) : OK;
}

static enum err read_seeds(struct experiment *experiment, const struct json *value, struct why *why)
{
    uint64_t count = 0;
    bool number = json_as_u64(value, &count);
    if (!number)
        for (const struct json *seed = json_first(value); seed; seed = json_after(seed)) count++;
    bool list = value && json_kind(value) == JSON_ARRAY;
    if ((!number && !list) || count < 1 || count > SEEDS_MAX)
        return why_set(why, ERR_INVALID,
                       "seeds must be a list of 1 to %d whole numbers, or how many", SEEDS_MAX);
    experiment->seeds = ARENA_ARRAY(&experiment->arena, uint64_t, count);
    experiment->seed_count = (uint32_t)count;
    if (number) {
        for (uint32_t i = 0; i < count; i++) experiment->seeds[i] = i + 1;
        return OK;
    }
    uint32_t at = 0;
    for (const struct json *seed = json_first(value); seed; seed = json_after(seed), at++) {
        if (!json_as_u64(seed, &experiment->seeds[at]))
            return why_set(why, ERR_INVALID, "seeds[%u] must be a whole number from 0 to 2^53", at);
        for (uint32_t i = 0; i < at; i++)
            if (experiment->seeds[i] == experiment->seeds[at])
                return why_set(why, ERR_INVALID,
                               "seeds[%u] stands there already: the same run "
                               "twice tells nothing",
                               at);
    }
    return OK;
}

static enum err read_arm(struct experiment *experiment, const struct json *value,
                         const struct study_choices *shared, struct why *why)
{
    struct arm *arm = &experiment->arms[experiment->arm_count];
    char where[32], field[40];
    snprintf(where, sizeof(where), "arms[%u]", experiment->arm_count);
    snprintf(field, sizeof(field), "%s.name", where);
    if (json_kind(value) != JSON_OBJECT)
        return why_set(why, ERR_INVALID, "%s must be an object with a name and settings", where);
    arm->choices = *shared;
    enum err err = read_name(experiment, json_get(value, "name"), field, &arm->name, why);
    for (uint32_t i = 0; i < experiment->arm_count && !err; i++)
        if (str_eq(experiment->arms[i].name, arm->name))
            err = why_set(why, ERR_INVALID, "%s has the name of arms[%u]", where, i);
    for (const struct json *one = json_first(value); one && !err; one = json_after(one))
        if (strcmp(json_name(one), "name") != 0) err = read_choice(&arm->choices, one, where, why);
    experiment->arm_count++;
    return err;
}

static enum err read_arms(struct experiment *experiment, const struct json *value,
                          const struct study_choices *shared, struct why *why)
{
    uint32_t count = 0;
    if (value && json_kind(value) == JSON_ARRAY)
        for (const struct json *arm = json_first(value); arm; arm = json_after(arm)) count++;
    if (count < 1 || count > ARMS_MAX)
        return why_set(why, ERR_INVALID, "arms must be a list of 1 to %d objects", ARMS_MAX);
    enum err err = OK;
    for (const struct json *arm = json_first(value); arm && !err; arm = json_after(arm))
        err = read_arm(experiment, arm, shared, why);
    return err;
}

static enum err read_tree(struct experiment *experiment, const struct json *tree,
                          const struct study_choices *usual, struct why *why)
{
    static const char *const fields[] = {"name", "seeds", "settings", "arms"};
    if (json_kind(tree) != JSON_OBJECT)
        return why_set(why, ERR_INVALID, "the file must hold an object");
    for (const struct json *member = json_first(tree); member; member = json_after(member)) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(fields); i++)
            known = known || strcmp(json_name(member), fields[i]) == 0;
        if (!known)
            return why_set(why, ERR_INVALID,
                           "there is no field \"%.40s\"; allowed: name seeds settings arms",
                           json_name(member));
    }
    struct study_choices shared = *usual;
    const struct json *settings = json_get(tree, "settings");
    if (settings && json_kind(settings) != JSON_OBJECT)
        return why_set(why, ERR_INVALID, "settings must be an object");
    enum err err = read_name(experiment, json_get(tree, "name"), "name", &experiment->name, why);
    for (const struct json *one = json_first(settings); one && !err; one = json_after(one))
        err = read_choice(&shared, one, "settings", why);
    if (!err) err = read_seeds(experiment, json_get(tree, "seeds"), why);
    if (!err) err = read_arms(experiment, json_get(tree, "arms"), &shared, why);
    return err;
}

enum err experiment_read(struct str text, const struct study_choices *usual,
                         struct experiment **experiment_out, struct why *why)
{
    struct json *tree = NULL;
    enum err err = read_syntax(text, &tree, why);
    if (err) return err;
    struct experiment *experiment = NEW(struct experiment);
    pthread_mutex_init(&experiment->lock, NULL);
    err = read_tree(experiment, tree, usual, why);
    json_free(tree);
    if (err) {
        experiment_free(experiment);
        return err;
    }
    size_t count = (size_t)experiment->arm_count * experiment->seed_count;
    experiment->trials = mem_alloc(sizeof(struct trial) * count);
    *experiment_out = experiment;
    return OK;
}

void experiment_free(struct experiment *experiment)
{
    if (!experiment) return;
    pthread_mutex_destroy(&experiment->lock);
    mem_free(experiment->trials);
    arena_release(&experiment->arena);
    mem_free(experiment);
}

/* --- running --- */

static struct study_plan plan_of(const struct experiment *experiment, uint32_t arm, uint32_t seed)
{
    return study_plan(experiment->seeds[seed], &experiment->arms[arm].choices);
}

/* One run, as it is watched. */
struct trial_watch {
    struct experiment *experiment;
    int32_t minutes; /* of it, as last told: a minute in which models are asked is told often */
};

static bool watch_trial(void *ctx, int32_t minutes, int32_t minutes_all)
{
    (void)minutes_all;
    struct trial_watch *trial = ctx;
    struct experiment *experiment = trial->experiment;
    pthread_mutex_lock(&experiment->lock);
    experiment->minutes += minutes - trial->minutes;
    trial->minutes = minutes;
    if (experiment->watch && !experiment->stopped) {
        /* Shares are all that is made of these numbers; they need not be minutes. */
        int64_t scale = experiment->minutes_all / INT32_MAX + 1;
        experiment->stopped =
            !experiment->watch(experiment->watch_ctx, (int32_t)(experiment->minutes / scale),
                               (int32_t)(experiment->minutes_all / scale));
    }
    bool goes_on = !experiment->stopped;
    pthread_mutex_unlock(&experiment->lock);
    return goes_on;
}

static void note_failure(struct experiment *experiment, const struct study *study)
{
    pthread_mutex_lock(&experiment->lock);
    if (!experiment->err) {
        experiment->err = study->err;
        experiment->why = study->why;
    }
    experiment->stopped = true;
    pthread_mutex_unlock(&experiment->lock);
}

static void run_trial(void *ctx, uint32_t number)
{
    struct experiment *experiment = ctx;
    struct trial *trial = &experiment->trials[number];
    struct trial_watch watch = {.experiment = experiment};
    if (!watch_trial(&watch, 0, 0)) return;
    const struct arm *arm = &experiment->arms[number / experiment->seed_count];
    struct study_plan plan =
        plan_of(experiment, number / experiment->seed_count, number % experiment->seed_count);
    struct town *town = study_found(&plan);
    struct study *study = study_run_on(town, &plan, NULL, watch_trial, &watch,
                                       arm->choices.model ? experiment->minds : NULL, arm->name);
    town_free(town);
    if (study->err) note_failure(experiment, study);
    trial->done = study->whole;
    trial->hash = study->hash;
    trial->mind = study->mind;
    study_measure(study, trial->values);
    study_free(study);
}

bool experiment_run(struct experiment *experiment, struct crew *crew, study_watch *watch, void *ctx,
                    struct minds *minds)
{
    ASSERT(minds || !experiment_has_models(experiment));
    experiment->watch = watch;
    experiment->watch_ctx = ctx;
    experiment->minds = minds;
    for (uint32_t arm = 0; arm < experiment->arm_count; arm++) {
        struct study_plan plan = plan_of(experiment, arm, 0);
        experiment->minutes_all += (int64_t)plan.days * MINUTES_PER_DAY * experiment->seed_count;
    }
    crew_run(crew, experiment->arm_count * experiment->seed_count, run_trial, experiment);
    return !experiment->stopped;
}

bool experiment_has_models(const struct experiment *experiment)
{
    for (uint32_t arm = 0; arm < experiment->arm_count; arm++)
        if (experiment->arms[arm].choices.model) return true;
    return false;
}

enum err experiment_failed(const struct experiment *experiment, struct why *why)
{
    if (experiment->err) *why = experiment->why;
    return experiment->err;
}

/* Of the runs of an arm, or of all: those that were ended cost something, too. */
static struct mind_figures minds_of(const struct experiment *experiment, uint32_t first,
                                    uint32_t count)
{
    struct mind_figures sum = {0};
    for (uint32_t i = first; i < first + count; i++)
        mind_figures_add(&sum, &experiment->trials[i].mind);
    return sum;
}

struct mind_figures experiment_minds(const struct experiment *experiment, struct str *model_out)
{
    *model_out = experiment->minds ? minds_model(experiment->minds) : STR("");
    return minds_of(experiment, 0, experiment->arm_count * experiment->seed_count);
}

uint32_t experiment_done(const struct experiment *experiment)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < experiment->arm_count * experiment->seed_count; i++)
        done += experiment->trials[i].done;
    return done;
}

uint64_t experiment_hash(const struct experiment *experiment)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < experiment->arm_count * experiment->seed_count; i++) {
        hash = (hash ^ experiment->trials[i].hash) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

/* --- reporting --- */

static struct spread spread_in(const struct experiment *experiment, uint32_t arm, int measure)
{
    double values[SEEDS_MAX];
    size_t count = 0;
    const struct trial *trials = experiment->trials + (size_t)arm * experiment->seed_count;
    for (uint32_t i = 0; i < experiment->seed_count; i++)
        if (trials[i].done) values[count++] = trials[i].values[measure];
    return spread_of(values, count);
}

static struct spread difference_in(const struct experiment *experiment, uint32_t arm, int measure)
{
    struct spread first = spread_in(experiment, 0, measure),
                  own = spread_in(experiment, arm, measure);
    return spread_difference(&first, &own);
}

static void put_spread(struct json_out *out, const char *key, const struct spread *spread)
{
    json_open(out, key, '{');
    json_put_u64(out, "runs", spread->count);
    report_json_figure(out, "mean", spread->mean);
    report_json_figure(out, "sd", spread->sd);
    report_json_figure(out, "low", spread->low);
    report_json_figure(out, "high", spread->high);
    json_close(out, '}');
}

static void put_arm(struct json_out *out, const struct experiment *experiment, uint32_t arm)
{
    struct study_plan plan = plan_of(experiment, arm, 0);
    json_open(out, NULL, '{');
    json_put_str(out, "name", experiment->arms[arm].name);
    json_open(out, "settings", '{');
    report_json_mind(out, experiment->arms[arm].choices.model);
    report_json_plan(out, &plan);
    json_close(out, '}');
    if (experiment->arms[arm].choices.model && experiment->minds) {
        struct mind_figures mind =
            minds_of(experiment, arm * experiment->seed_count, experiment->seed_count);
        report_json_model(out, minds_model(experiment->minds), &mind);
    }
    json_open(out, "values", '{');
    for (int i = 0; i < MEASURES; i++) {
        struct spread spread = spread_in(experiment, arm, i);
        put_spread(out, measures[i].name, &spread);
    }
    json_close(out, '}');
    if (arm > 0) {
        json_open(out, "differences", '{');
        for (int i = 0; i < MEASURES; i++) {
            struct spread spread = difference_in(experiment, arm, i);
            put_spread(out, measures[i].name, &spread);
        }
        json_close(out, '}');
    }
    json_close(out, '}');
}

static void write_json(struct buf *file, const struct experiment *experiment)
{
    struct json_out out = json_begin(file);
    json_open(&out, NULL, '{');
    json_put_str(&out, "kind", STR("experiment"));
    json_put_str(&out, "name", experiment->name);
    json_open(&out, "seeds", '[');
    for (uint32_t i = 0; i < experiment->seed_count; i++)
        json_put_u64(&out, NULL, experiment->seeds[i]);
    json_close(&out, ']');
    json_put_u64(&out, "runs_done", experiment_done(experiment));
    report_json_measures(&out);
    json_open(&out, "arms", '[');
    for (uint32_t arm = 0; arm < experiment->arm_count; arm++) put_arm(&out, experiment, arm);
    json_close(&out, ']');
    json_close(&out, '}');
    buf_add_byte(file, '\n');
}

/* RFC 4180: within quotes, a quote is written twice. */
static void csv_name(struct buf *csv, struct str name)
{
    buf_add_byte(csv, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"') buf_add_byte(csv, '"');
        buf_add_byte(csv, name.at[i]);
    }
    buf_add_byte(csv, '"');
}

static void write_comparison(struct buf *csv, const struct experiment *experiment)
{
    buf_add_str(csv, STR("arm,measure,unit,runs,mean,sd,low_95,high_95,difference,"
                         "difference_low_95,difference_high_95\n"));
    for (uint32_t arm = 0; arm < experiment->arm_count; arm++) {
        for (int i = 0; i < MEASURES; i++) {
            struct spread own = spread_in(experiment, arm, i);
            csv_name(csv, experiment->arms[arm].name);
            buf_printf(csv, ",%s,%s,%u", measures[i].name, measures[i].unit, own.count);
            report_csv_figure(csv, own.mean);
            report_csv_figure(csv, own.sd);
            report_csv_figure(csv, own.low);
            report_csv_figure(csv, own.high);
            struct spread off = difference_in(experiment, arm, i);
            report_csv_figure(csv, arm ? off.mean : NAN);
            report_csv_figure(csv, arm ? off.low : NAN);
            report_csv_figure(csv, arm ? off.high : NAN);
            buf_add_byte(csv, '\n');
        }
    }
}

static void write_runs(struct buf *csv, const struct experiment *experiment)
{
    buf_add_str(csv, STR("arm,seed,hash"));
    for (int i = 0; i < MEASURES; i++) buf_printf(csv, ",%s", measures[i].name);
    buf_add_byte(csv, '\n');
    for (uint32_t n = 0; n < experiment->arm_count * experiment->seed_count; n++) {
        const struct trial *trial = &experiment->trials[n];
        if (!trial->done) continue;
        csv_name(csv, experiment->arms[n / experiment->seed_count].name);
        buf_printf(csv, ",%llu,%016llx",
                   (unsigned long long)experiment->seeds[n % experiment->seed_count],
                   (unsigned long long)trial->hash);
        for (int i = 0; i < MEASURES; i++) report_csv_figure(csv, trial->values[i]);
        buf_add_byte(csv, '\n');
    }
}

enum err experiment_report(const struct experiment *experiment, const char *dir, struct why *why)
{
    static const struct {
        const char *name;
        void (*write)(struct buf *file, const struct experiment *experiment);
    } files[] = {{"runs.csv", write_runs},
                 {"comparison.csv", write_comparison},
                 {"comparison.json", write_json}}; /* the last one is drawn, too */
    struct buf file;
    buf_init(&file, 1 << 28);
    enum err err = OK;
    for (size_t i = 0; i < COUNT_OF(files) && !err; i++) {
        buf_reset(&file, 1 << 28);
        files[i].write(&file, experiment);
        err = report_put(dir, files[i].name, &file, why);
    }
    if (!err) err = report_page(dir, &file, why);
    buf_release(&file);
    return err;
}
