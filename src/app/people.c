/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/people.c: `hutong user`: accounts from the terminal. */
#include <unistd.h>

#include "app/command.h"
#include "app/open.h"
#include "auth/username.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "community/accounts.h"
#include "store/migrate.h"

/* What one command changes. */
struct people_change {
    struct arena arena;
    struct account_draft draft;
    struct user user;
    struct str name;
    enum role role;
};

static enum err apply_add(void *ctx, struct db *db, struct why *why)
{
    struct people_change *change = ctx;
    struct act act;
    act_init(&act, db, &change->arena, clock_wall_us(), (struct user_id){0}, ROLE_ADMIN);
    enum err err = accounts_create(&act, &change->draft, &change->user, why);
    return err == ERR_CONFLICT ? why_set(why, err, "the name is taken") : err;
}

static enum err apply_role(void *ctx, struct db *db, struct why *why)
{
    struct people_change *change = ctx;
    struct act act;
    struct str hash;
    act_init(&act, db, &change->arena, clock_wall_us(), (struct user_id){0}, ROLE_ADMIN);
    enum err err = users_load_login(db, &change->arena, username_key(&change->arena, change->name),
                                    &change->user, &hash, why);
    return err ? err : accounts_set_role(&act, change->user.brief.id, change->role, why);
}

static int change_people(struct args *args, store_apply *apply, struct people_change *change)
{
    struct store *store;
    struct db *db;
    struct why why;
    enum err err = open_store(&args->settings, &store, &db, &why);
    if (err) return fail(&why);
    err = store_write(store, db, apply, change, &why);
    db_close(db);
    store_close(store);
    arena_release(&change->arena);
    return err ? fail(&why) : 0;
}

static enum err read_password(char *to, size_t bytes, struct why *why)
{
    if (isatty(STDIN_FILENO)) fputs("Password: ", stderr);
    if (fgets(to, (int)bytes, stdin) == NULL) {
        return why_set(why, ERR_INVALID, "no password on standard input");
    }
    to[strcspn(to, "\r\n")] = '\0';
    return password_check(str_of(to), why);
}

static int add_user(struct args *args, const char *name)
{
    char password[512], hash[PASSWORD_HASH_BYTES];
    struct passwords passwords;
    struct why why;
    const char *nickname = args_option(args, "nickname"), *role = args_option(args, "role");
    struct people_change change = {
        .draft = {.username = str_of(name), .nickname = str_of(nickname ? nickname : name)}};
    if (role &&
        (!role_parse(str_of(role), &change.draft.role) || change.draft.role == ROLE_RESIDENT)) {
        return usage_error("--role is \"%s\"; allowed: member, moderator, admin", role);
    }
    enum err err = read_password(password, sizeof(password), &why);
    if (!err) err = passwords_open(&passwords, PASSWORD_COST_OWASP, &why);
    if (!err) err = password_hash(&passwords, str_of(password), hash, &why);
    if (err) return fail(&why);
    change.draft.password_hash = str_of(hash);
    int status = change_people(args, apply_add, &change);
    if (status == 0)
        printf("added %s, id %llu\n", name, (unsigned long long)change.user.brief.id.value);
    return status;
}

static void print_user(void *ctx, const struct user *user)
{
    *(uint64_t *)ctx = user->brief.id.value;
    printf("%6llu  %-10s %-24.*s %.*s%s\n", (unsigned long long)user->brief.id.value,
           role_name(user->role), STR_ARGS(user->brief.username), STR_ARGS(user->brief.nickname),
           user->banned ? "  (banned)" : "");
}

static int list_users(struct args *args)
{
    struct db *db = NULL;
    struct why why;
    enum err err = open_to_look(&args->settings, &db, &why);
    if (!err) err = migrate_check(db, embedded_files, &why);
    if (err) {
        db_close(db);
        return fail(&why);
    }
    struct users_query query = {.which = USERS_ALL, .limit = 1000};
    for (uint64_t last = 0;; query.after = last) {
        err = users_list(db, &query, print_user, &last, &why);
        if (err || last == query.after) break;
    }
    db_close(db);
    return err ? fail(&why) : 0;
}

static int give_role(struct args *args)
{
    struct people_change change = {.name = str_of(args->words[1])};
    struct db *db = NULL;
    struct why why;
    if (!role_parse(str_of(args->words[2]), &change.role)) {
        return usage_error("role \"%s\"; allowed: member, moderator, admin", args->words[2]);
    }
    enum err err = open_to_look(&args->settings, &db, &why); /* nobody is in a new community */
    if (err) return fail(&why);
    db_close(db);
    return change_people(args, apply_role, &change);
}

int run_user(struct args *args)
{
    struct why why;
    if (log_open(NULL, LOG_ERROR, &why)) return fail(&why); /* the sentences say it all */
    const char *verb = args->word_count > 0 ? args->words[0] : "";
    if (strcmp(verb, "list") == 0 && args->word_count == 1) return list_users(args);
    if (strcmp(verb, "add") == 0 && args->word_count == 2) return add_user(args, args->words[1]);
    if (strcmp(verb, "role") == 0 && args->word_count == 3) return give_role(args);
    return usage_error("user: say `add NAME`, `role NAME ROLE` or `list`");
}
