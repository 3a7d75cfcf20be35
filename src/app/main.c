/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/main.c: hutong COMMAND [OPTION...]: find the command, read its line.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "app/vet.h"
#include "base/mem.h"
#include "base/version.h"

int fail(const struct why *why)
{
    fprintf(stderr, "hutong: %s\n", why->text);
    return 1;
}

int usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("hutong: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\nTry `hutong --help`.\n", stderr);
    va_end(args);
    return 2;
}

const char *args_option(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->option_count; i++) {
        if (strcmp(args->options[i][0], name) == 0) return args->options[i][1];
    }
    return NULL;
}

bool args_number(const struct args *args, const char *name, uint64_t initial, uint64_t *value_out)
{
    const char *text = args_option(args, name);
    *value_out = initial;
    return text == NULL || str_to_u64(str_of(text), value_out);
}

static void print_help(void)
{
    puts("hutong - a community of people and AI residents in one program\n\n"
         "Usage: hutong COMMAND [OPTION...]\n\nCommands:");
    for (size_t i = 0; i < commands_count; i++) {
        if (commands[i].hidden) continue;
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    puts("\nOptions:\n"
         "  --help     this page; `hutong COMMAND --help` is the manual of a command\n"
         "  --version  version and commit\n"
         "\n"
         "Settings stand on the command line (--NAME VALUE), in the environment or in a\n"
         "file .env; `hutong settings` lists them all with their values.\n"
         "\n"
         "First steps:\n"
         "  hutong serve --demo    a small community to look at, on http://127.0.0.1:8000\n"
         "  hutong doctor          is this machine ready, and what is missing?\n"
         "  hutong db backup FILE  a copy of everything but pictures and keys\n"
         "\n"
         "Exit status: 0 done, 1 failed, 2 wrong usage or a wrong setting.");
}

static void print_manual(const struct command *command)
{
    struct str rest = str_of(command->usage), line;
    const char *before = "Usage:";
    printf("hutong %s - %s\n\n", command->name, command->summary);
    while (str_split(&rest, '\n', &line)) {
        printf("%s hutong %s %.*s\n", before, command->name, STR_ARGS(line));
        before = "      ";
    }
    printf("\n%s%s", command->about ? command->about : "", command->manual);
}

bool is_word_of(const char *words, struct str word)
{
    struct str rest = str_of(words), one;
    while (str_split(&rest, ' ', &one)) {
        if (one.len > 0 && str_eq(one, word)) return true;
    }
    return false;
}

/* The last one counts, so that a script's options can be overruled behind it. */
static void give_setting(struct args *args, struct setting_value given)
{
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].name, given.name) != 0) continue;
        args->given[i] = given;
        return;
    }
    args->given[args->given_count++] = given;
}

/* The password of a URL: between the first ':' and the last '@' of what stands before the path. */
static struct str url_password(struct str url)
{
    struct str who = str_from(url, str_find(url, STR("://")) + 3);
    who = str_head(who, str_find_byte(who, '/'));
    size_t at = who.len;
    while (at > 0 && who.at[at - 1] != '@') at--;
    struct str secret = str_head(who, at > 0 ? at - 1 : 0);
    return str_from(secret, str_find_byte(secret, ':') + 1);
}

/*
 * A URL with a password in it is taken, as scripts have it there, but it must
 * not stay: /proc shows this memory to everybody. Several stand in some lists.
 */
static void hide_passwords(char *value, const struct setting *setting)
{
    size_t hidden = 0;
    struct str rest = str_of(value);
    while (str_find(rest, STR("://")) < rest.len) {
        size_t next = str_find(rest, STR("://")) + 3;
        struct str secret = url_password(rest);
        if (secret.len > 0) memset(value + (secret.at - value), '*', secret.len);
        hidden += secret.len;
        rest = str_from(rest, next);
    }
    if (hidden == 0) return;
    struct str names = str_of(setting->names), name;
    if (!str_split(&names, ' ', &name)) return;
    fprintf(stderr,
            "hutong: the password in --%s can be read by whoever lists processes; set %.*s in the "
            "environment or in .env instead\n",
            setting->name, STR_ARGS(name));
}

/* 0, or the exit status. */
static int read_option(const struct command *command, struct args *args, char **argv, int *at)
{
    struct str name = str_from(str_of(argv[*at]), 2);
    size_t equals = str_find_byte(name, '=');
    char *value = equals < name.len ? argv[*at] + 2 + equals + 1 : NULL;
    name = str_head(name, equals);
    struct str kept = arena_copy(&args->arena, name);
    if (args_option(args, kept.at)) return usage_error("--%s is given twice; say it once", kept.at);
    if (is_word_of(command->flags, name)) {
        args->options[args->option_count][0] = kept.at;
        args->options[args->option_count++][1] = "";
        return 0;
    }
    const struct setting *setting = setting_find(name);
    if (setting == NULL && !is_word_of(command->values, name)) {
        return usage_error("%s has no option --%s", command->name, kept.at);
    }
    if (setting && setting->type == SETTING_SECRET) {
        return usage_error("--%s would show a secret to whoever lists processes; set it in the "
                           "environment or in .env",
                           kept.at);
    }
    if (value == NULL) value = argv[++*at];
    if (value == NULL) return usage_error("--%s needs a value", kept.at);
    if (setting) {
        struct str own = arena_copy(&args->arena, str_of(value));
        give_setting(args, (struct setting_value){setting->name, own.at});
        hide_passwords(value, setting);
    } else {
        args->options[args->option_count][0] = kept.at;
        args->options[args->option_count++][1] = value;
    }
    return 0;
}

/* The `.env` of the working directory; most have none. */
static struct str read_dotenv(struct arena *arena)
{
    int fd = open(".env", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return (struct str){0};
    char text[64 * 1024];
    ssize_t len = read(fd, text, sizeof(text));
    close(fd);
    struct str whole = {text, len > 0 ? (size_t)len : 0};
    if (str_starts(whole, STR("\xEF\xBB\xBF"))) whole = str_from(whole, 3); /* Windows' editors */
    return arena_copy(arena, whole);
}

static void tell_strange(void *ctx, const char *what)
{
    (void)ctx;
    fprintf(stderr, "hutong: %s is no setting and does nothing; `hutong settings` shows all\n",
            what);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct args *args = NEW(struct args);
    int status = 0;
    for (int at = 2; at < argc && status == 0; at++) {
        if (args->option_count + args->given_count + args->word_count == ARGS_MAX) {
            status = usage_error("too many arguments");
        } else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            print_manual(command);
            arena_release(&args->arena);
            mem_free(args);
            return 0;
        } else if (strncmp(argv[at], "--", 2) == 0 && argv[at][2] != '\0') {
            status = read_option(command, args, argv, &at);
        } else {
            args->words[args->word_count++] = argv[at];
        }
    }
    struct why why;
    struct str dotenv = read_dotenv(&args->arena);
    if (status == 0 && settings_load(&args->arena, &args->settings, args->given, args->given_count,
                                     dotenv, environ, &why) != OK) {
        fail(&why);
        status = 2;
    }
    if (status == 0 && command->vets) settings_strange(dotenv, environ, tell_strange, NULL);
    if (status == 0 && command->vets && vet_settings(&args->settings, &why) != OK) {
        fail(&why);
        status = 2;
    }
    if (status == 0) status = command->run(args);
    arena_release(&args->arena);
    mem_free(args);
    return status;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < commands_count; i++) {
        if (strcmp(name, commands[i].name) == 0) return &commands[i];
    }
    return NULL;
}

static int run(int argc, char **argv)
{
    const char *name = argc < 2 ? "" : argv[1];
    bool help = strcmp(name, "help") == 0;
    if (help && argc > 2) name = argv[2]; /* `hutong help db` */
    const struct command *command = find_command(name);
    if (help && command) {
        print_manual(command);
        return 0;
    }
    if (argc < 2 || (help && argc == 2) || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(name, "--version") == 0) {
        printf("hutong %s (%s)\n", version_text(), version_commit());
        return 0;
    }
    return command ? run_command(command, argc, argv)
                   : usage_error("there is no command \"%s\"", name);
}

/* Whoever keeps what a command says in a file has to know when it is not all there. A reader that
 * has seen enough (`| head`) is no failure. */
static int flush_output(int status)
{
    errno = 0;
    bool lost = fflush(stdout) != 0 || ferror(stdout);
    if (!lost || errno == EPIPE) return status;
    fprintf(stderr, "hutong: not all of the output could be written%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
    return status ? status : 1;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (`ulimit -f`) is a write that fails */
    umask(0027);
    return flush_output(run(argc, argv));
}
