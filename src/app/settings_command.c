/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/settings_command.c: `hutong settings`: the table, grouped, with today's values. */
#include "app/command.h"
#include "app/page.h"
#include "app/vet.h"

/* Headings of the list, each above the setting with which its group begins. */
static const struct {
    const char *first, *title;
} groups[] = {
    {"listen", "Server"},    {"commit-group-max", "Database"},
    {"log-file", "Log"},     {"jwt-secret", "Accounts"},
    {"rate-read", "Limits"}, {"live-queue-bytes", "Live"},
    {"upload-dir", "Files"}, {"mysql-host", "Names of older installations"},
};

static const char *title_above(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (strcmp(groups[i].first, name) == 0) return groups[i].title;
    }
    return NULL;
}

static struct str shown(struct args *args, const struct setting *row)
{
    struct str value = setting_public(&args->arena, &args->settings, row);
    return value.len > 0 ? value : STR("(empty)");
}

/* "HUTONG_LOOPS; a whole number from 0 to 256" */
static struct str describe(struct arena *arena, const struct setting *row)
{
    struct str names = STR(""), rest = str_of(row->names), name;
    while (str_split(&rest, ' ', &name)) {
        names = arena_printf(arena, "%.*s%s%.*s", STR_ARGS(names), names.len ? ", " : "",
                             STR_ARGS(name));
    }
    switch (row->type) {
    case SETTING_TEXT: return names;
    case SETTING_SECRET: return arena_printf(arena, "%.*s; a secret", STR_ARGS(names));
    case SETTING_BOOL: return arena_printf(arena, "%.*s; on or off", STR_ARGS(names));
    case SETTING_CHOICE:
        return arena_printf(arena, "%.*s; one of %s", STR_ARGS(names), row->choices);
    case SETTING_INT:
        return arena_printf(arena, "%.*s; a whole number from %lld to %lld", STR_ARGS(names),
                            (long long)row->min, (long long)row->max);
    }
    return names;
}

static void print_setting(struct args *args, const struct setting *row)
{
    printf("  --%-26s ", row->name);
    struct str value = shown(args, row), initial = str_of(row->initial);
    bool is_default = str_eq(setting_text(&args->arena, &args->settings, row), initial);
    printf("%.*s%s\n      ", STR_ARGS(value), is_default && initial.len ? "  (default)" : "");
    page_wrap(describe(&args->arena, row), 6, 6);
    fputs("      ", stdout);
    page_wrap(str_of(row->help), 6, 6);
    putchar('\n');
}

int run_settings(struct args *args)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        ASSERT(setting_find(str_of(groups[i].first)) != NULL);
    }
    if (args->word_count > 0) return usage_error("settings takes settings only");
    for (size_t i = 0; i < settings_count; i++) {
        const char *title = title_above(settings_table[i].name);
        if (title) printf("%s\n\n", title);
        print_setting(args, &settings_table[i]);
    }
    struct why why;
    if (vet_settings(&args->settings, &why) == OK) return 0;
    fail(&why); /* below the list: whoever looks for the slip wants to see both */
    return 2;
}
