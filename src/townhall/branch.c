/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/branch.h"

#include "townhall/report.h"

enum { COMPARISON_BYTES_MAX = 1 << 16, PATH_BYTES = 4096 };

static const char *const folders[] = {"as-it-was", "changed"};

/* The minutes of two studies, one after the other. */
struct both {
    study_watch *watch;
    void *ctx;
    int32_t before;
    struct minds *minds;
};

static bool watch_both(void *ctx, int32_t minutes, int32_t minutes_all)
{
    const struct both *both = ctx;
    if (!both->watch) return true;
    /* Halves: so they stay within their type, however many days there are. */
    return both->watch(both->ctx, both->before + minutes / 2, minutes_all);
}

/* `folder` is the copy's name, in the journal of its minds, too. */
static enum err live(struct str state, const struct study_choices *choices, const uint64_t *seed,
                     struct both *both, const char *folder, struct study **study_out,
                     struct why *why)
{
    static const int8_t unknown[TRAIT_COUNT];
    struct town *town = NULL;
    struct study_plan plan;
    enum err err = town_read(state, &town, why);
    if (!err) err = study_go_on(town, choices, seed, unknown, &plan, why);
    if (!err)
        *study_out = study_run_on(town, &plan, NULL, watch_both, both,
                                  choices->model ? both->minds : NULL, str_of(folder));
    town_free(town);
    if (!err && (*study_out)->err) {
        err = (*study_out)->err;
        *why = (*study_out)->why;
    }
    return err;
}

static enum err no_other_setting(struct why *why)
{
    char names[400] = "seed";
    for (int i = 0; i < STUDY_OPTIONS; i++) {
        if (!study_may_change(i)) continue;
        size_t len = strlen(names);
        snprintf(names + len, sizeof(names) - len, ", %s", study_options[i].name);
    }
    return why_set(why, ERR_INVALID, "a branch needs a setting that is another one: %s", names);
}

enum err branch_run(struct str state, const struct study_choices *choices, const uint64_t *seed,
                    study_watch *watch, void *ctx, struct minds *minds, struct branch *branch_out,
                    struct why *why)
{
    struct study_choices days = study_days_alone(choices);
    struct both both = {watch, ctx, 0, minds};
    *branch_out = (struct branch){0};
    if (!seed && study_choices_equal(choices, &days)) return no_other_setting(why);
    enum err err = live(state, choices, seed, &both, folders[1], &branch_out->changed, why);
    if (err) return err;
    both.before = branch_out->changed->minutes / 2;
    return live(state, &days, NULL, &both, folders[0], &branch_out->as_it_was, why);
}

static void write_comparison(struct buf *csv, const struct branch *branch)
{
    double was[MEASURES], is[MEASURES];
    study_measure(branch->as_it_was, was);
    study_measure(branch->changed, is);
    buf_add_str(csv, STR("measure,unit,as_it_was,changed,difference\n"));
    for (int i = 0; i < MEASURES; i++) {
        buf_printf(csv, "%s,%s", measures[i].name, measures[i].unit);
        report_csv_figure(csv, was[i]);
        report_csv_figure(csv, is[i]);
        report_csv_figure(csv, is[i] - was[i]);
        buf_add_byte(csv, '\n');
    }
}

static enum err report_one(const char *dir, const char *folder, const struct study *study,
                           struct why *why)
{
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, folder);
    if (len < 0 || (size_t)len >= sizeof(path))
        return why_set(why, ERR_IO, "the path of the report's folder is too long");
    enum err err = report_folder(path, why);
    return err ? err : report_study(path, study, 1, why);
}

enum err branch_report(const char *dir, const struct branch *branch, struct why *why)
{
    enum err err = report_folder(dir, why);
    if (!err) err = report_one(dir, folders[0], branch->as_it_was, why);
    if (!err) err = report_one(dir, folders[1], branch->changed, why);
    if (err) return err;
    struct buf csv;
    buf_init(&csv, COMPARISON_BYTES_MAX);
    write_comparison(&csv, branch);
    err = report_put(dir, "comparison.csv", &csv, why);
    buf_release(&csv);
    return err;
}

void branch_release(struct branch *branch)
{
    study_free(branch->as_it_was);
    study_free(branch->changed);
    *branch = (struct branch){0};
}
