/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/town_command.c: hutong town run | experiment | branch: towns without a community.
 *
 * None listens, and only `branch` opens a database, to look: what they write goes
 * into the folder of --report and the file of --save. The last line of `run` and
 * `experiment` on standard output is the hash.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "app/command.h"
#include "app/open.h"
#include "app/page.h"
#include "app/town.h"
#include "base/clock.h"
#include "base/embedded.h"
#include "base/log.h"
#include "store/migrate.h"
#include "townhall/experiment.h"
#include "townhall/replay.h"
#include "townhall/report.h"
#include "townhall/town_file.h"

enum { TELL_EVERY_US = 200 * 1000, STATE_BYTES_MAX = 1 << 30 };

/* --- ending early --- */

static volatile sig_atomic_t stop_wanted; /* set by a signal, read once a simulated minute */

static void on_signal(int number)
{
    (void)number;
    stop_wanted = 1;
}

/* The second one ends the program at once. */
static void listen_for_stop(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* --- telling how far it is --- */

struct teller {
    bool town;                 /* one town, whose clock can be told */
    int32_t from;              /* … and where that began */
    const struct minds *minds; /* NULL: the rules decide */
    bool terminal, told;
    int64_t began_us, told_us;
};

static struct teller teller_start(bool town, int32_t from, const struct minds *minds)
{
    int64_t now_us = clock_mono_us();
    return (struct teller){.town = town,
                           .from = from,
                           .minds = minds,
                           .terminal = isatty(STDERR_FILENO) != 0,
                           .began_us = now_us,
                           .told_us = now_us};
}

static void tell_minds(const struct minds *minds)
{
    struct minds_progress progress = minds_look(minds);
    fprintf(stderr, ", %u asked now, %u wait, %llu answered, %llu tokens", progress.under_way,
            progress.waiting, (unsigned long long)progress.answered,
            (unsigned long long)progress.tokens);
    if (progress.priced && progress.micro > 0)
        fprintf(stderr, ", cost %.4f", (double)progress.micro / 1e6);
}

/* A study_watch. */
static bool tell(void *ctx, int32_t minutes, int32_t minutes_all)
{
    struct teller *teller = ctx;
    if (!teller->terminal) return !stop_wanted;
    int64_t now_us = clock_mono_us();
    if (now_us - teller->told_us < TELL_EVERY_US || minutes == 0) return !stop_wanted;
    teller->told_us = now_us;
    teller->told = true;
    double seconds = (double)(now_us - teller->began_us) / 1e6;
    double days_an_hour = (double)minutes / MINUTES_PER_DAY / seconds * 3600;
    long long left = (long long)(seconds * (minutes_all - minutes) / minutes);
    fputs("\r\033[K", stderr);
    if (teller->town) {
        int32_t at = teller->from + minutes;
        fprintf(stderr, "day %d %02d:%02d, ", day_of(at), hour_of(at), at % MINUTES_PER_HOUR);
    }
    fprintf(stderr, "%.0f %%, %.0f days an hour, %lld:%02lld:%02lld left",
            100.0 * minutes / minutes_all, days_an_hour, left / 3600, left / 60 % 60, left % 60);
    if (teller->minds) tell_minds(teller->minds);
    fflush(stderr);
    return !stop_wanted;
}

static void teller_end(const struct teller *teller)
{
    if (teller->told) fputs("\r\033[K", stderr);
}

/* --- options --- */

/* "memory_slots" is --memory-slots. */
static const char *option_text(const struct args *args, int option, char name[40])
{
    snprintf(name, 40, "%s", study_options[option].name);
    for (char *at = name; *at; at++)
        if (*at == '_') *at = '-';
    return args_option(args, name);
}

/* 0, or the exit status. */
static int read_choices(const struct args *args, struct study_choices *choices)
{
    char name[40];
    for (int i = 0; i < STUDY_OPTIONS; i++) {
        const char *text = option_text(args, i, name);
        if (!text) continue;
        int64_t value;
        struct why why;
        if (!str_to_i64(str_of(text), &value))
            return usage_error("--%s is \"%s\"; allowed: a whole number from %d to %d", name, text,
                               study_options[i].least, study_options[i].most);
        if (study_choose(choices, i, value, &why) != OK) return usage_error("%s", why.text);
    }
    return 0;
}

static int read_threads(const struct args *args, uint32_t *threads_out)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t threads, usual = (uint64_t)MIN(MAX(cores, 1), CREW_THREADS_MAX);
    if (!args_number(args, "threads", usual, &threads) || threads < 1 || threads > CREW_THREADS_MAX)
        return usage_error("--threads is \"%s\"; allowed: a whole number from 1 to %d",
                           args_option(args, "threads"), CREW_THREADS_MAX);
    *threads_out = (uint32_t)threads;
    return 0;
}

/* What is chosen about models: who decides, and what is usual where nothing is said. */
static int read_mind(struct args *args, struct study_choices *choices)
{
    const char *mind = args_option(args, "mind"), *model = args_option(args, "model");
    struct why why;
    choices->usual_share = (int32_t)args->settings.town_model_share;
    choices->usual_calls = (int32_t)args->settings.town_model_calls;
    if (mind && study_choose_mind(choices, str_of(mind), &why) != OK)
        return usage_error("--%s", why.text);
    if (model) args->settings.llm_model = str_of(model);
    return 0;
}

/* Who answers, when anybody asks. `*minds_out` is NULL where the rules decide. 0, or the exit
 * status. */
static int open_minds(const struct args *args, bool needed, struct minds **minds_out)
{
    struct minds_plan plan = {.journal = args_option(args, "journal")};
    uint64_t seconds;
    struct why why;
    *minds_out = NULL;
    static const char *const own[] = {"model", "journal", "answer-seconds"};
    for (size_t i = 0; i < COUNT_OF(own) && !needed; i++)
        if (args_option(args, own[i]))
            return usage_error("--%s is for --mind model: the rules ask nobody", own[i]);
    if (!needed) return 0;
    if (!args_number(args, "answer-seconds", ANSWER_S_USUAL, &seconds) || seconds < 1 ||
        seconds > ANSWER_S_MAX)
        return usage_error("--answer-seconds is \"%s\"; allowed: a whole number from 1 to %d",
                           args_option(args, "answer-seconds"), ANSWER_S_MAX);
    plan.answer_s = (int64_t)seconds;
    if (log_open(NULL, LOG_ERROR, &why) != OK) return fail(&why);
    return minds_open(&args->settings, &plan, minds_out, &why) == OK ? 0 : fail(&why);
}

static int read_seed(const struct args *args, uint64_t *seed_out)
{
    if (args_number(args, "seed", 1, seed_out)) return 0;
    return usage_error("--seed is \"%s\"; allowed: a whole number from 0 to 2^64 - 1",
                       args_option(args, "seed"));
}

/* --- run --- */

static void print_figures(struct args *args, const struct study *study, uint32_t threads)
{
    static const char *const shown[] = {"decisions", "talks",    "posts",        "likes",
                                        "comments",  "messages", "hours_asleep", "ties"};
    double values[MEASURES], seconds = (double)study->wall_us / 1e6;
    study_measure(study, values);
    int32_t at = study->from + study->minutes;
    printf("%s, until day %d %02d:%02d\n",
           page_count(&args->arena, study->plan.residents, "resident"), day_of(at), hour_of(at),
           at % MINUTES_PER_HOUR);
    for (size_t i = 0; i < COUNT_OF(shown); i++)
        for (int m = 0; m < MEASURES; m++)
            if (strcmp(measures[m].name, shown[i]) == 0)
                printf("  %-14s %8.2f  %s\n", measures[m].name, values[m], measures[m].unit);
    printf("%s, %u %s, %.0f simulated days an hour, %.0f ns CPU a decision, %s\n",
           page_duration(&args->arena, study->wall_us), threads,
           threads == 1 ? "thread" : "threads",
           (double)study->minutes / MINUTES_PER_DAY / seconds * 3600,
           (double)study->cpu_us * 1000 / (double)MAX(study->tally.decisions, (uint64_t)1),
           page_bytes(&args->arena, study->bytes));
}

/* Who decided what was put to a model, and what that took. */
static void print_minds(struct str model, const struct mind_figures *figures)
{
    printf("%llu decisions put to %.*s: %llu by the model", (unsigned long long)figures->asked,
           STR_ARGS(model), (unsigned long long)figures->how[DECIDED_BY_MODEL]);
    for (int how = DECIDED_BY_MODEL + 1; how < DECIDED_HOWS; how++)
        if (figures->how[how])
            printf(", %llu by rules (%s)", (unsigned long long)figures->how[how],
                   decided_how_name((enum decided_how)how));
    if (figures->from_journal)
        printf("; %llu out of the journal", (unsigned long long)figures->from_journal);
    printf("\n%llu tokens in, %llu out%s", (unsigned long long)figures->input,
           (unsigned long long)figures->output, figures->estimated ? " (estimated)" : "");
    if (!figures->unpriced && figures->micro) printf(", cost %.4f", (double)figures->micro / 1e6);
    putchar('\n');
}

static int finish_run(struct args *args, const struct study *study, uint32_t threads,
                      const char *dir)
{
    struct why why;
    print_figures(args, study, threads);
    if (study->model.len) print_minds(study->model, &study->mind);
    enum err err = dir ? report_study(dir, study, threads, &why) : OK;
    printf("run hash: %016llx\n", (unsigned long long)study->hash);
    fflush(stdout);
    if (err) return fail(&why);
    if (study->whole) return 0;
    int32_t at = study->from + study->minutes;
    if (study->err) return fail(&study->why);
    fprintf(stderr,
            "hutong: ended by a signal at day %d %02d:%02d; figures are of what was reached\n",
            day_of(at), hour_of(at), at % MINUTES_PER_HOUR);
    return 1;
}

/* A town and how long it is to live: founded, or out of the file of --from. 0, or the exit status.
 */
static int get_town(const struct args *args, const struct study_choices *choices,
                    struct town **town_out, struct study_plan *plan_out)
{
    const char *from = args_option(args, "from");
    bool seeded = args_option(args, "seed") != NULL;
    uint64_t seed;
    struct town_note note;
    struct why why;
    int status = read_seed(args, &seed);
    if (status) return status;
    if (!from) {
        *plan_out = study_plan(seed, choices);
        *town_out = study_found(plan_out);
        return 0;
    }
    if (town_file_read(from, town_out, &note, &why) != OK) return fail(&why);
    if (study_go_on(*town_out, choices, seeded ? &seed : NULL, note.trait_mean, plan_out, &why) ==
        OK)
        return 0;
    town_free(*town_out);
    *town_out = NULL;
    return usage_error("%s", why.text);
}

/* Where it stands, even when it was ended before its time: from there it can go on. */
static int save_town(const char *path, const struct town *town, const struct study_plan *plan)
{
    struct town_note note;
    struct why why;
    memcpy(note.trait_mean, plan->trait_mean, sizeof(note.trait_mean));
    return town_file_write(path, town, &note, &why) == OK ? 0 : fail(&why);
}

static int live(struct args *args, struct town *town, const struct study_plan *plan,
                uint32_t threads, struct minds *minds)
{
    const char *dir = args_option(args, "report"), *save = args_option(args, "save");
    struct crew *crew;
    struct why why;
    if (save && town_file_check(save, &why) != OK) return fail(&why);
    if (dir && report_folder(dir, &why) != OK) return fail(&why);
    if (crew_open(threads, &crew, &why) != OK) return fail(&why);
    struct town_runner runner = crew_runner(crew);
    struct teller teller = teller_start(true, town_now(town), minds);
    listen_for_stop();
    struct study *study =
        study_run_on(town, plan, threads > 1 ? &runner : NULL, tell, &teller, minds, STR(""));
    teller_end(&teller);
    crew_close(crew);
    int saved = save ? save_town(save, town, plan) : 0;
    int status = finish_run(args, study, threads, dir);
    study_free(study);
    return status ? status : saved;
}

static int run_run(struct args *args)
{
    struct study_choices choices = {0};
    struct study_plan plan;
    struct town *town = NULL;
    struct minds *minds = NULL;
    uint32_t threads = 1;
    if (args->word_count > 1)
        return usage_error("town run takes options only, and not \"%s\"", args->words[1]);
    int status = read_choices(args, &choices);
    if (!status) status = read_mind(args, &choices);
    if (!status) status = read_threads(args, &threads);
    if (!status) status = open_minds(args, choices.model, &minds);
    if (!status) status = get_town(args, &choices, &town, &plan);
    if (!status) status = live(args, town, &plan, threads, minds);
    town_free(town);
    minds_close(minds);
    return status;
}

/* --- branch --- */

static bool tell_nobody(void *ctx, int32_t minutes, int32_t minutes_all)
{
    (void)ctx, (void)minutes, (void)minutes_all;
    return !stop_wanted;
}

static void print_branch(struct args *args, const struct branch *branch, const char *dir)
{
    double was[MEASURES], is[MEASURES];
    const struct study *changed = branch->changed;
    study_measure(branch->as_it_was, was);
    study_measure(changed, is);
    int32_t from = changed->from, at = from + changed->minutes;
    printf("%s, from day %d %02d:%02d to day %d %02d:%02d\n",
           page_count(&args->arena, changed->plan.residents, "resident"), day_of(from),
           hour_of(from), from % MINUTES_PER_HOUR, day_of(at), hour_of(at), at % MINUTES_PER_HOUR);
    printf("  %-14s %10s %10s\n", "", "as it was", "changed");
    for (int i = 0; i < MEASURES; i++)
        if (was[i] == was[i] && is[i] == is[i]) /* NAN: there is no such figure */
            printf("  %-14s %10.2f %10.2f  %s\n", measures[i].name, was[i], is[i],
                   measures[i].unit);
    if (changed->model.len) {
        printf("as it was: ");
        print_minds(changed->model, &branch->as_it_was->mind);
        printf("changed: ");
        print_minds(changed->model, &changed->mind);
    }
    printf("all of it in %s\n", dir);
}

enum err town_branch(struct args *args, struct str state, const struct study_choices *choices,
                     const uint64_t *seed, const char *dir, bool alone, struct minds *minds,
                     struct why *why)
{
    struct branch branch;
    struct teller teller = teller_start(false, 0, minds);
    if (alone) listen_for_stop();
    enum err err =
        branch_run(state, choices, seed, alone ? tell : tell_nobody, &teller, minds, &branch, why);
    teller_end(&teller);
    if (!err && !(branch.as_it_was->whole && branch.changed->whole))
        err = why_set(why, ERR_CANCELLED, "ended by a signal; there is no report");
    if (!err) err = branch_report(dir, &branch, why);
    if (!err) print_branch(args, &branch, dir);
    branch_release(&branch);
    return err;
}

/* The community's town as it was at that minute. It is only looked at: whoever runs it goes on. */
static enum err look_back(struct args *args, uint64_t at, struct minds *minds, struct buf *state,
                          struct why *why)
{
    struct db *db = NULL;
    struct town_row row;
    enum err err = open_to_look(&args->settings, &db, why);
    if (!err) err = migrate_check(db, embedded_files, why);
    if (!err) err = towns_load_first(db, &args->arena, &row, why);
    if (!err && at == UINT64_MAX) at = (uint64_t)row.minute;
    if (!err && (at < TOWN_START_MIN || (int64_t)at > row.minute))
        err = why_set(why, ERR_INVALID, "--at is %llu; the town has lived from minute %d to %lld",
                      (unsigned long long)at, TOWN_START_MIN, (long long)row.minute);
    struct replay replay = {.from = (int64_t)at, .until = (int64_t)at};
    if (!err) err = replay_town(db, &row, &replay, why);
    if (!err) town_write(replay.town, state);
    if (!err && state->failed)
        err = why_set(why, ERR_LIMIT, "the town has more than %d bytes", STATE_BYTES_MAX);
    if (!err && minds) err = minds_meet(minds, db, row.id, town_resident_count(replay.town), why);
    town_free(replay.town);
    db_close(db);
    return err;
}

static int run_branch(struct args *args)
{
    struct study_choices choices = {0};
    uint64_t seed, at;
    struct why why;
    const char *dir = args_option(args, "report");
    if (args->word_count > 1)
        return usage_error("town branch takes options only, and not \"%s\"", args->words[1]);
    if (!dir) return usage_error("town branch needs --report DIR, where its figures go");
    if (!args_number(args, "at", UINT64_MAX, &at) || (at > TOWN_END_MIN && at != UINT64_MAX))
        return usage_error("--at is \"%s\"; allowed: game minutes since day 1, 00:00",
                           args_option(args, "at"));
    int status = read_choices(args, &choices);
    if (!status) status = read_seed(args, &seed);
    if (!status) status = read_mind(args, &choices);
    struct minds *minds = NULL;
    if (!status) status = open_minds(args, choices.model, &minds);
    if (status) return status;
    if (!minds && log_open(NULL, LOG_ERROR, &why) != OK) return fail(&why);
    struct buf state;
    buf_init(&state, STATE_BYTES_MAX);
    enum err err = look_back(args, at, minds, &state, &why);
    if (!err)
        err = town_branch(args, buf_str(&state), &choices, args_option(args, "seed") ? &seed : NULL,
                          dir, true, minds, &why);
    buf_release(&state);
    minds_close(minds);
    if (err == ERR_INVALID) return usage_error("%s", why.text);
    return err ? fail(&why) : 0;
}

/* --- experiment --- */

static enum err read_file(const char *path, struct buf *text, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (!file) return why_set(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    char piece[4096];
    size_t got;
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0) buf_add(text, piece, got);
    bool bad = ferror(file) != 0;
    fclose(file);
    if (bad) return why_set(why, ERR_IO, "cannot read %s", path);
    if (text->failed)
        return why_set(why, ERR_LIMIT, "%s is larger than %d bytes", path, EXPERIMENT_BYTES_MAX);
    return OK;
}

static enum err open_experiment(const char *path, const struct study_choices *usual,
                                struct experiment **experiment_out, struct why *why)
{
    struct buf text;
    struct why said;
    buf_init(&text, EXPERIMENT_BYTES_MAX);
    enum err err = read_file(path, &text, why);
    if (!err) {
        err = experiment_read(buf_str(&text), usual, experiment_out, &said);
        if (err) why_set(why, err, "%s: %s", path, said.text);
    }
    buf_release(&text);
    return err;
}

static int run_open(struct experiment *experiment, uint32_t threads, const char *dir,
                    struct minds *minds)
{
    struct why why;
    struct crew *crew;
    if (report_folder(dir, &why) != OK) return fail(&why);
    if (crew_open(threads, &crew, &why) != OK) return fail(&why);
    struct teller teller = teller_start(false, 0, minds);
    listen_for_stop();
    bool whole = experiment_run(experiment, crew, tell, &teller, minds);
    teller_end(&teller);
    crew_close(crew);
    if (experiment_report(experiment, dir, &why) != OK) return fail(&why);
    struct str model;
    struct mind_figures figures = experiment_minds(experiment, &model);
    if (model.len) print_minds(model, &figures);
    printf("%u runs, compared in %s/report.html\nrun hash: %016llx\n", experiment_done(experiment),
           dir, (unsigned long long)experiment_hash(experiment));
    fflush(stdout);
    if (whole) return 0;
    if (experiment_failed(experiment, &why) != OK) return fail(&why);
    fputs("hutong: ended by a signal; runs that were under way are left out\n", stderr);
    return 1;
}

static int run_experiment(struct args *args)
{
    const char *dir = args_option(args, "report");
    struct study_choices usual = {0};
    struct minds *minds = NULL;
    if (args->word_count != 2) return usage_error("town experiment needs one FILE");
    if (!dir) return usage_error("town experiment needs --report DIR, where its tables go");
    uint32_t threads = 1;
    int status = read_mind(args, &usual);
    if (!status) status = read_threads(args, &threads);
    if (status) return status;
    struct experiment *experiment;
    struct why why;
    enum err err = open_experiment(args->words[1], &usual, &experiment, &why);
    if (err) {
        fail(&why);
        return err == ERR_INVALID ? 2 : 1;
    }
    status = open_minds(args, experiment_has_models(experiment), &minds);
    if (!status) status = run_open(experiment, threads, dir, minds);
    experiment_free(experiment);
    minds_close(minds);
    return status;
}

#define OPTIONS_OF_MINDS "mind model journal answer-seconds "
#define OPTIONS_OF_A_TOWN                                                                          \
    "days seed model-share model-calls memory-slots relation-slots feed-slots keep-effects "       \
    "mail-minutes openness conscientiousness extraversion agreeableness neuroticism "

/* What each way takes of the options in the manual; none is read and ignored. */
static int check_options(const struct args *args, const char *what)
{
    static const char *const taken[][2] = {
        {"", "step as"},
        {"replay", "until"},
        {"forget", "yes"},
        {"run", "report threads save from residents " OPTIONS_OF_MINDS OPTIONS_OF_A_TOWN},
        {"branch", "report at residents " OPTIONS_OF_MINDS OPTIONS_OF_A_TOWN},
        {"experiment", "report threads " OPTIONS_OF_MINDS},
    };
    for (size_t i = 0; i < args->option_count; i++) {
        const char *option = args->options[i][0], *whose = NULL;
        bool known = false, fits = false;
        for (size_t n = 0; n < COUNT_OF(taken); n++) {
            bool this = strcmp(taken[n][0], what) == 0,
                 takes = is_word_of(taken[n][1], str_of(option));
            known |= this;
            fits |= this && takes;
            if (!whose && takes) whose = taken[n][0];
        }
        ASSERT(whose);
        if (fits || !known) continue;
        if (strcmp(what, "experiment") == 0 && strcmp(whose, "run") == 0)
            return usage_error("town experiment takes --%s out of its FILE", option);
        return usage_error("--%s belongs to `town%s%s`", option, *whose ? " " : "", whose);
    }
    return 0;
}

int run_town(struct args *args)
{
    const char *what = args->word_count ? args->words[0] : "";
    int status = check_options(args, what);
    if (status) return status;
    if (strcmp(what, "run") == 0) return run_run(args);
    if (strcmp(what, "experiment") == 0) return run_experiment(args);
    if (strcmp(what, "branch") == 0) return run_branch(args);
    /* With a community behind it. */
    if (args->word_count == 0) return run_town_console(args);
    if (args->word_count == 1 && strcmp(what, "replay") == 0) return run_town_replay(args);
    if (args->word_count == 1 && strcmp(what, "forget") == 0) return run_town_forget(args);
    return usage_error("town has no \"%s\"; there are replay, forget, branch, run and experiment",
                       what);
}
