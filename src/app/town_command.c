/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/town_command.c: hutong town run | experiment: towns without a community.
 *
 * Neither opens a database nor listens; what they write goes into the folder of
 * --report alone, and the last line of standard output is the hash.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "app/command.h"
#include "app/page.h"
#include "base/clock.h"
#include "townhall/experiment.h"
#include "townhall/report.h"

enum { TELL_EVERY_US = 200 * 1000 };

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
    bool town; /* one town, whose clock can be told */
    bool terminal, told;
    int64_t began_us, told_us;
};

static struct teller teller_start(bool town)
{
    int64_t now_us = clock_mono_us();
    return (struct teller){.town = town,
                           .terminal = isatty(STDERR_FILENO) != 0,
                           .began_us = now_us,
                           .told_us = now_us};
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
        int32_t at = TOWN_START_MIN + minutes;
        fprintf(stderr, "day %d %02d:%02d, ", day_of(at), hour_of(at), at % MINUTES_PER_HOUR);
    }
    fprintf(stderr, "%.0f %%, %.0f days an hour, %lld:%02lld:%02lld left",
            100.0 * minutes / minutes_all, days_an_hour, left / 3600, left / 60 % 60, left % 60);
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

static int read_mind(const struct args *args)
{
    const char *mind = args_option(args, "mind");
    if (!mind || strcmp(mind, "rule") == 0) return 0;
    return usage_error("--mind is \"%s\"; allowed: rule. Models answer in a community only, where "
                       "`hutong serve` asks them",
                       mind);
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
    int32_t at = TOWN_START_MIN + study->minutes;
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

static int finish_run(struct args *args, const struct study *study, uint32_t threads,
                      const char *dir)
{
    struct why why;
    print_figures(args, study, threads);
    enum err err = dir ? report_study(dir, study, threads, &why) : OK;
    printf("run hash: %016llx\n", (unsigned long long)study->hash);
    fflush(stdout);
    if (err) return fail(&why);
    if (study->whole) return 0;
    int32_t at = TOWN_START_MIN + study->minutes;
    fprintf(stderr,
            "hutong: ended by a signal at day %d %02d:%02d; figures are of what was reached\n",
            day_of(at), hour_of(at), at % MINUTES_PER_HOUR);
    return 1;
}

static int run_run(struct args *args)
{
    struct study_choices choices = {0};
    uint64_t seed;
    uint32_t threads;
    struct why why;
    if (args->word_count > 1)
        return usage_error("town run takes options only, and not \"%s\"", args->words[1]);
    int status = read_choices(args, &choices);
    if (!status) status = read_seed(args, &seed);
    if (!status) status = read_mind(args);
    if (!status) status = read_threads(args, &threads);
    if (status) return status;
    const char *dir = args_option(args, "report");
    if (dir && report_folder(dir, &why) != OK) return fail(&why);
    struct crew *crew;
    if (crew_open(threads, &crew, &why) != OK) return fail(&why);
    struct study_plan plan = study_plan(seed, &choices);
    struct town_runner runner = crew_runner(crew);
    struct teller teller = teller_start(true);
    listen_for_stop();
    struct study *study = study_run(&plan, threads > 1 ? &runner : NULL, tell, &teller);
    teller_end(&teller);
    crew_close(crew);
    status = finish_run(args, study, threads, dir);
    study_free(study);
    return status;
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

static enum err open_experiment(const char *path, struct experiment **experiment_out,
                                struct why *why)
{
    struct buf text;
    struct why said;
    buf_init(&text, EXPERIMENT_BYTES_MAX);
    enum err err = read_file(path, &text, why);
    if (!err) {
        err = experiment_read(buf_str(&text), experiment_out, &said);
        if (err) why_set(why, err, "%s: %s", path, said.text);
    }
    buf_release(&text);
    return err;
}

static int run_open(struct experiment *experiment, uint32_t threads, const char *dir)
{
    struct why why;
    struct crew *crew;
    if (report_folder(dir, &why) != OK) return fail(&why);
    if (crew_open(threads, &crew, &why) != OK) return fail(&why);
    struct teller teller = teller_start(false);
    listen_for_stop();
    bool whole = experiment_run(experiment, crew, tell, &teller);
    teller_end(&teller);
    crew_close(crew);
    if (experiment_report(experiment, dir, &why) != OK) return fail(&why);
    printf("%u runs, compared in %s/report.html\nrun hash: %016llx\n", experiment_done(experiment),
           dir, (unsigned long long)experiment_hash(experiment));
    fflush(stdout);
    if (whole) return 0;
    fputs("hutong: ended by a signal; runs that were under way are left out\n", stderr);
    return 1;
}

static int run_experiment(struct args *args)
{
    const char *dir = args_option(args, "report");
    if (args->word_count != 2) return usage_error("town experiment needs one FILE");
    if (!dir) return usage_error("town experiment needs --report DIR, where its tables go");
    for (size_t i = 0; i < args->option_count; i++) {
        const char *name = args->options[i][0];
        if (strcmp(name, "report") == 0 || strcmp(name, "threads") == 0) continue;
        if (strcmp(name, "mind") == 0) continue;
        return usage_error("town experiment takes --%s out of its FILE", name);
    }
    uint32_t threads;
    int status = read_mind(args);
    if (!status) status = read_threads(args, &threads);
    if (status) return status;
    struct experiment *experiment;
    struct why why;
    enum err err = open_experiment(args->words[1], &experiment, &why);
    if (err) {
        fail(&why);
        return err == ERR_INVALID ? 2 : 1;
    }
    status = run_open(experiment, threads, dir);
    experiment_free(experiment);
    return status;
}

int run_town(struct args *args)
{
    const char *what = args->word_count ? args->words[0] : "";
    if (strcmp(what, "run") == 0) return run_run(args);
    if (strcmp(what, "experiment") == 0) return run_experiment(args);
    return run_town_console(args); /* with a community behind it */
}
