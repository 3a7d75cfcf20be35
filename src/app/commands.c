/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/commands.c: the table of sub-commands with their manuals, and `hutong settings`. */
#include "app/command.h"

const struct command commands[] = {
    {.name = "serve",
     .usage = "[--demo] [--SETTING VALUE...]",
     .summary = "run the community server",
     .manual =
         "Opens the data folder (created when missing), brings the database up to date, listens,\n"
         "and prints one line to standard output when it is ready:\n\n"
         "    ready http://127.0.0.1:8000 pid=1234\n\n"
         "Logs go to standard error or to --log-file. In an empty community it also prints a\n"
         "one-time code that makes the first account an administrator.\n\n"
         "  --demo    in an empty community, make demo residents, members, posts and messages,\n"
         "            and print how to log in\n\n"
         "Signals: TERM and INT stop it (running requests finish first), HUP reopens the log.\n"
         "A second `hutong serve` on the same address and data can take over: start it, then\n"
         "stop the first.\n",
     .flags = "demo",
     .values = "",
     .run = run_serve},
    {.name = "user",
     .usage = "add NAME --nickname TEXT [--role ROLE] | role NAME ROLE | list",
     .summary = "add members, change roles, list them",
     .manual = "Works on the database of the settings, also while a server runs.\n\n"
               "  add NAME    make an account; the password is read from standard input, one line\n"
               "  role NAME ROLE   ROLE is member, moderator or admin\n"
               "  list        everybody, one line each\n",
     .flags = "",
     .values = "nickname role",
     .run = run_user},
    {.name = "resident",
     .usage = "add NAME --nickname TEXT [--bio TEXT] [--personality TEXT]",
     .summary = "add AI residents",
     .manual = "A resident is an account that nobody can log in to. NAME is its user name;\n"
               "--personality is a comma-separated list of traits.\n",
     .flags = "",
     .values = "nickname bio personality",
     .run = run_resident},
    {.name = "db",
     .usage = "migrate | status | backup FILE | restore FILE | check [FILE]",
     .summary = "migrate, back up, restore and check the database",
     .manual = "  migrate       bring the database up to date (serve does this by itself)\n"
               "  status        which migrations are applied\n"
               "  backup FILE   a verified copy, also while a server runs\n"
               "  restore FILE  into a place that is empty; checks the copy first\n"
               "  check [FILE]  is the database, or a backup, sound?\n",
     .flags = "",
     .values = "",
     .run = run_db},
    {.name = "doctor",
     .usage = "[--SETTING VALUE...]",
     .summary = "check everything and say how to mend it",
     .manual = "Looks at settings, data folder, keys, database, disk, port and secrets. Prints one\n"
               "line for each, with what to do where something is wrong. Exit status 1 when\n"
               "anything is.\n",
     .flags = "",
     .values = "",
     .run = run_doctor},
    {.name = "settings",
     .usage = "[--SETTING VALUE...]",
     .summary = "list every setting with its value and help",
     .manual = "Values come from the command line, then the environment, then a .env file in the\n"
               "working directory, then the default. Secrets are shown as ***.\n",
     .flags = "",
     .values = "",
     .run = run_settings},
    {.name = "bench-data",
     .usage = "--members N --posts N --partners N --messages N",
     .summary = "fill an empty community for measuring",
     .manual = "Used by bench/run. Prints one JSON line with what it made.\n",
     .flags = "",
     .values = "members posts partners messages",
     .run = run_bench_data,
     .hidden = true},
};
const size_t commands_count = COUNT_OF(commands);

static void print_wrapped(const char *text)
{
    size_t column = 0;
    struct str rest = str_of(text), word;
    while (str_split(&rest, ' ', &word)) {
        if (column + word.len > 68) {
            fputs("\n", stdout);
            column = 0;
        }
        printf("%s%.*s", column == 0 ? "        " : " ", STR_ARGS(word));
        column += word.len + 1;
    }
    fputs("\n", stdout);
}

int run_settings(struct args *args)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_table[i];
        struct str value = setting_text(&args->arena, &args->settings, row);
        printf("--%s  (%s)\n    now: %.*s\n", row->name, row->names, STR_ARGS(value));
        if (row->type == SETTING_INT) {
            printf("    allowed: %lld to %lld\n", (long long)row->min, (long long)row->max);
        }
        if (row->choices) printf("    allowed: %s\n", row->choices);
        print_wrapped(row->help);
    }
    return 0;
}
