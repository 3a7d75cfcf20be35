/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/doctor.c: `hutong doctor`: what is wrong, and how to mend it. */
#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "app/page.h"
#include "app/seed.h"
#include "app/vet.h"
#include "api/health.h"
#include "auth/keyring.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/inspect.h"
#include "store/migrate.h"
#include "townhall/budget.h"
#include "wiki/old_config.h"

enum {
    NAME_COLUMNS = 16,
    TEXT_COLUMN = 7 + NAME_COLUMNS,
    LOOK_US = 10 * 1000 * 1000,
    FILES_OF_OUR_OWN = 200, /* databases, logs, wake-ups, uploads */
    YEAR_MIN = 2024,
    YEAR_MAX = 2100,
};

void visit_tell(struct visit *visit, enum finding finding, const char *name, const char *mend,
                const char *format, ...)
{
    static const struct {
        const char *word, *colour;
    } looks[] = {{"ok", "\033[32m"}, {"warn", "\033[33m"}, {"WRONG", "\033[1;31m"}};
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *at = text; *at; at++) { /* some of it came over a wire */
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = '?';
    }
    visit->count[finding]++;
    printf("%s%-5s%s  %-*s", visit->colour ? looks[finding].colour : "", looks[finding].word,
           visit->colour ? "\033[0m" : "", NAME_COLUMNS, name);
    page_wrap(str_of(text), TEXT_COLUMN, TEXT_COLUMN);
    if (mend == NULL) return;
    printf("%*s-> ", TEXT_COLUMN, "");
    page_wrap(str_of(mend), TEXT_COLUMN + 3, TEXT_COLUMN + 3);
}

/* --- settings --- */

static void check_settings(struct visit *visit)
{
    size_t wrong = 0;
    for (size_t i = 0; i < vets_count; i++) {
        struct why why;
        if (vets[i].check(visit->settings, &why) == OK) continue;
        wrong++;
        const char *names = setting_find(str_of(vets[i].setting))->names;
        struct str first = str_head(str_of(names), strcspn(names, " "));
        const char *mend = arena_printf(visit->arena, "set --%s or %.*s; see `hutong settings`",
                                        vets[i].setting, STR_ARGS(first))
                               .at;
        visit_tell(visit, FINDING_WRONG, vets[i].setting, mend, "%s", why.text);
    }
    if (wrong == 0) visit_tell(visit, FINDING_OK, "settings", NULL, "every value is allowed");
}

/* A host that would have to be guessed; "" is the socket or nothing. */
static bool is_near(const char *host)
{
    return host == NULL || host[0] == '\0' || strcmp(host, "localhost") == 0 ||
           strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

/* --- folders --- */

/* The folder itself, or the nearest one above that exists. In `arena`. */
static const char *nearest_folder(struct arena *arena, struct str path)
{
    struct stat info;
    struct str at = path;
    for (;;) {
        const char *text = at.len ? arena_copy(arena, at).at : path.at[0] == '/' ? "/" : ".";
        if (at.len == 0 || lstat(text, &info) == 0) return text;
        while (at.len > 0 && at.at[at.len - 1] == '/') at.len--;
        while (at.len > 0 && at.at[at.len - 1] != '/') at.len--;
        while (at.len > 1 && at.at[at.len - 1] == '/') at.len--;
    }
}

static bool is_absent(int reason)
{
    return reason == ENOENT || reason == ENOTDIR;
}

static bool is_writable(const char *folder)
{
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
}

static void check_missing_folder(struct visit *visit, const char *name, struct str path)
{
    const char *above = nearest_folder(visit->arena, path);
    struct stat info;
    const char *mend = "choose another folder with --data or --upload-dir";
    if (stat(above, &info) != 0 || !S_ISDIR(info.st_mode)) {
        visit_tell(visit, FINDING_WRONG, name, mend, "%s cannot be made: %s is no folder", path.at,
                   above);
    } else if (!is_writable(above)) {
        mend = arena_printf(visit->arena,
                            "mkdir -m 700 %s && chown %u %s, as an administrator of the machine",
                            path.at, (unsigned)geteuid(), path.at)
                   .at;
        visit_tell(visit, FINDING_WRONG, name, mend, "%s cannot be made: %s is not writable",
                   path.at, above);
    } else {
        visit_tell(visit, FINDING_OK, name, NULL, "%s is not there yet; the first start makes it",
                   path.at);
    }
}

static void check_folder(struct visit *visit, const char *name, struct str path)
{
    struct stat info;
    struct arena *arena = visit->arena;
    if (stat(path.at, &info) != 0 && is_absent(errno)) {
        check_missing_folder(visit, name, path);
        return;
    }
    const char *chmod_it = arena_printf(arena, "chmod 700 %s", path.at).at;
    unsigned mode = info.st_mode & 07777;
    if (!S_ISDIR(info.st_mode)) {
        visit_tell(visit, FINDING_WRONG, name, "move the file away, or choose another folder",
                   "%s is no folder", path.at);
    } else if (!is_writable(path.at)) {
        const char *mend =
            arena_printf(arena, "chown -R %u %s && %s", (unsigned)geteuid(), path.at, chmod_it).at;
        visit_tell(visit, FINDING_WRONG, name, mend, "%s is not writable for user %u", path.at,
                   (unsigned)geteuid());
    } else if (mode & 022) {
        visit_tell(visit, FINDING_WRONG, name, chmod_it,
                   "others may change what is in %s (mode %04o)", path.at, mode);
    } else if (mode & 077) {
        visit_tell(visit, FINDING_WARN, name, chmod_it, "others may look into %s (mode %04o)",
                   path.at, mode);
    } else {
        visit_tell(visit, FINDING_OK, name, NULL, "%s", path.at);
    }
}

static void check_data(struct visit *visit)
{
    check_folder(visit, "data folder", visit->settings->data_dir);
}

static void check_uploads(struct visit *visit)
{
    check_folder(visit, "uploads", visit->settings->upload_dir);
}

static void check_space(struct visit *visit)
{
    const char *folder = nearest_folder(visit->arena, visit->settings->data_dir);
    struct statvfs disk;
    if (statvfs(folder, &disk) != 0) {
        visit_tell(visit, FINDING_WRONG, "disk", "see that the data folder can be reached",
                   "cannot look at %s: %s", folder, strerror(errno));
        return;
    }
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    const char *said = page_bytes(visit->arena, free_bytes);
    const char *mend = "make room, or move the data folder to a larger disk";
    if (free_bytes < HEALTH_DISK_FREE_MIN || disk.f_bavail < disk.f_blocks / 100) {
        visit_tell(visit, FINDING_WRONG, "disk", mend, "only %s are free for %s", said, folder);
    } else if (disk.f_files > 0 && disk.f_favail < 1000) {
        visit_tell(visit, FINDING_WRONG, "disk", mend, "only %llu more files fit beside %s",
                   (unsigned long long)disk.f_favail, folder);
    } else if (free_bytes < HEALTH_DISK_FREE_MIN * 16) {
        visit_tell(visit, FINDING_WARN, "disk", mend, "%s are free for %s", said, folder);
    } else {
        visit_tell(visit, FINDING_OK, "disk", NULL, "%s are free", said);
    }
}

static void check_file_system(struct visit *visit)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } shared[] = {{NFS_SUPER_MAGIC, "NFS"},
                  {SMB_SUPER_MAGIC, "SMB"},
                  {0xff534d42, "CIFS"},
                  {0xfe534d42, "SMB"}};
    const char *folder = nearest_folder(visit->arena, visit->settings->data_dir);
    struct statfs disk;
    if (statfs(folder, &disk) != 0) return; /* check_space has said it */
    if ((unsigned long)disk.f_type == TMPFS_MAGIC) {
        visit_tell(visit, FINDING_WARN, "file system", "choose a folder on a disk with --data",
                   "%s lies in memory (tmpfs): all of it is lost at a restart", folder);
    }
    bool sqlite = visit->has_url && visit->url.kind == DB_SQLITE;
    for (size_t i = 0; i < COUNT_OF(shared) && sqlite; i++) {
        if ((unsigned long)disk.f_type != shared[i].magic) continue;
        visit_tell(visit, FINDING_WRONG, "file system",
                   "keep the data folder on a local disk, or use MariaDB (--database)",
                   "%s is a network folder (%s), which SQLite's log does not survive", folder,
                   shared[i].name);
    }
}

/* --- keys --- */

/*
 * Root looks at another user's community: systemd's DynamicUser keeps it where nobody else gets
 * at it. The server would refuse these keys to root, who must not take the folder over.
 */
static bool keys_are_of_folder(const struct stat *keys, const char *folder)
{
    struct stat info;
    return geteuid() == 0 && keys->st_uid != 0 && (keys->st_mode & 077) == 0 &&
           stat(folder, &info) == 0 && info.st_uid == keys->st_uid;
}

static void check_keys(struct visit *visit)
{
    struct stat info;
    struct why why;
    struct keyring *keyring = NULL;
    const char *folder = visit->settings->data_dir.at;
    const char *path = arena_printf(visit->arena, "%s/keys.json", folder).at;
    if (lstat(path, &info) != 0 && is_absent(errno)) {
        visit_tell(visit, FINDING_OK, "signing keys", NULL, "none yet; the first start makes one");
        return;
    }
    if (keys_are_of_folder(&info, folder)) {
        visit_tell(visit, FINDING_OK, "signing keys", NULL,
                   "only for user %u, to whom the data folder belongs; not read",
                   (unsigned)info.st_uid);
        return;
    }
    enum err err = keyring_open(folder, (struct str){0}, clock_wall_us() / 1000000, &keyring, &why);
    if (err) {
        char *run = strstr(why.text, "; run: "), *restore = strstr(why.text, "; restore ");
        char *mend = run ? run : restore;
        if (mend) *mend = '\0';
        visit_tell(visit, FINDING_WRONG, "signing keys",
                   run       ? run + strlen("; run: ")
                   : restore ? restore + 2
                             : "see that the file belongs to the user who runs Hutong",
                   "%s", why.text);
        return;
    }
    visit_tell(visit, FINDING_OK, "signing keys", NULL, "%s in keys.json, for its owner only",
               page_count(visit->arena, keyring_count(keyring), "key"));
    keyring_free(keyring);
}

/* --- the database --- */

static void check_sqlite_file(struct visit *visit)
{
    struct stat info;
    const char *path = visit->url.path;
    if (stat(path, &info) == 0 && info.st_mode & 07) {
        visit_tell(visit, FINDING_WRONG, "database",
                   arena_printf(visit->arena, "chmod 600 %s", path).at,
                   "everybody on this machine may read %s (mode %04o)", path,
                   (unsigned)info.st_mode & 07777);
    } else if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0) {
        visit_tell(visit, FINDING_WRONG, "database",
                   arena_printf(visit->arena, "chown %u %s", (unsigned)geteuid(), path).at,
                   "%s is not writable for user %u", path, (unsigned)geteuid());
    } else {
        visit_tell(visit, FINDING_OK, "database", NULL, "%s, %s", path,
                   page_bytes(visit->arena, (uint64_t)info.st_size));
    }
}

static void check_database(struct visit *visit)
{
    struct why why;
    struct stat info;
    const struct settings *settings = visit->settings;
    if (!visit->has_url) return; /* said among the settings */
    bool sqlite = visit->url.kind == DB_SQLITE;
    const char *place = db_url_public(visit->arena, settings->database).at;
    if (sqlite && stat(visit->url.path, &info) != 0 && is_absent(errno)) {
        visit_tell(visit, FINDING_OK, "database", NULL,
                   "%s is not there yet; the first start makes it", place);
        return;
    }
    if (db_open(settings->database, DB_LOOK, &visit->db, &why) == OK) {
        if (sqlite) check_sqlite_file(visit);
        if (!sqlite) visit_tell(visit, FINDING_OK, "database", NULL, "%s answers", place);
        return;
    }
    visit_tell(visit, FINDING_WRONG, "database",
               sqlite ? "put the latest backup in its place: hutong db restore FILE"
                      : "see that the server runs, that its address, user and password are right, "
                        "and that the database was made: CREATE DATABASE ... CHARACTER SET utf8mb4",
               "%s%s%s", sqlite ? "" : place, sqlite ? "" : ": ", why.text);
}

static void check_password(struct visit *visit)
{
    static const char *const known[] = {"root",     "mysql", "mariadb",      "password", "passwd",
                                        "123456",   "admin", "12345678",     "hutong",   "secret",
                                        "changeme", "test",  "your_password"};
    const struct db_url *url = &visit->url;
    if (!visit->has_url || url->kind != DB_MARIADB || url->socket) return;
    const char *mend = "set a random one: ALTER USER ... IDENTIFIED BY '...', then the URL";
    const char *said = NULL;
    if (url->password == NULL || url->password[0] == '\0') said = "is empty";
    for (size_t i = 0; i < COUNT_OF(known) && said == NULL; i++) {
        if (strcasecmp(url->password, known[i]) == 0) said = "is the first that anyone would try";
    }
    if (said == NULL && strcmp(url->password, url->user) == 0) said = "is the name of the user";
    if (said) {
        visit_tell(visit, FINDING_WRONG, "password", mend, "that of the database user %s %s",
                   url->user, said);
    } else {
        visit_tell(visit, FINDING_OK, "password", NULL, "that of the database is no default");
    }
    if (!is_near(url->host) && url->tls == TLS_OFF) {
        visit_tell(visit, FINDING_WARN, "encryption", "add ?tls=verify to the database URL",
                   "the database at %s is spoken to in clear text", url->host);
    }
}

static void check_schema(struct visit *visit)
{
    struct migration *list;
    size_t count = 0;
    struct why why;
    if (visit->db == NULL) return;
    enum err err = migrate_check(visit->db, embedded_files, &why);
    visit->has_schema = err == OK;
    if (err == ERR_NOT_FOUND) {
        visit_tell(visit, FINDING_WARN, "schema",
                   "hutong db migrate, after a backup; `hutong serve` does it by itself",
                   "it is older than this program: migrations are pending");
    } else if (err) {
        visit_tell(visit, FINDING_WRONG, "schema", "hutong db status shows every migration", "%s",
                   why.text);
    } else if (migrate_status(visit->arena, visit->db, embedded_files, &list, &count, &why)) {
        visit_tell(visit, FINDING_WRONG, "schema", NULL, "%s", why.text);
    } else {
        visit_tell(visit, FINDING_OK, "schema", NULL, "at version %zu, as this program needs it",
                   count);
    }
}

static void check_instances(struct visit *visit)
{
    struct why why;
    bool several;
    if (visit->db == NULL || visit->settings->redis.len > 0) return;
    if (store_has_several(visit->db, &several, &why) != OK || !several) return;
    visit_tell(visit, FINDING_WARN, "instances",
               "set redis on each of them (HUTONG_REDIS=redis://HOST:PORT), or stop all but one",
               "several run on this database, and nothing connects them: members miss what happens "
               "at another one");
}

/* MariaDB watches its own pages; `hutong db check` asks it. */
static void check_soundness(struct visit *visit)
{
    struct why why;
    bool whole;
    if (visit->db == NULL || db_kind(visit->db) != DB_SQLITE) return;
    if (inspect_run(visit->db, LOOK_US, &whole, &why)) {
        visit_tell(visit, FINDING_WRONG, "soundness",
                   "stop the server, move the file away, then: hutong db restore FILE", "%s",
                   why.text);
    } else {
        visit_tell(visit, FINDING_OK, "soundness", NULL, "%s",
                   whole ? "nothing is damaged"
                         : "nothing damaged in what 10 seconds let see; `hutong db check` reads "
                           "all of it");
    }
}

static bool count_people(struct db *db, uint64_t *people_out, uint64_t *admins_out)
{
    struct why why;
    struct query *q = db_query_text(db, "SELECT count(*), coalesce(sum(role = 'admin'), 0)"
                                        " FROM users WHERE is_ai = 0");
    if (query_next(q)) {
        *people_out = query_get_u64(q, 0);
        *admins_out = query_get_u64(q, 1);
    }
    return query_end(q, &why) == OK;
}

static void check_people(struct visit *visit)
{
    uint64_t people = 0, admins = 0;
    if (!visit->has_schema || !count_people(visit->db, &people, &admins)) return;
    if (people == 0) {
        visit_tell(visit, FINDING_WARN, "people",
                   visit->settings->registration
                       ? "register the first account with the code that `hutong serve` prints"
                       : "hutong user add NAME --role admin: registration is off",
                   "nobody is here yet");
    } else if (admins == 0) {
        visit_tell(visit, FINDING_WARN, "people", "hutong user role NAME admin",
                   "%s, and no administrator%s", page_count(visit->arena, people, "member"),
                   visit->settings->registration ? ", while anyone may register" : "");
    } else {
        visit_tell(visit, FINDING_OK, "people", NULL, "%s, %s",
                   page_count(visit->arena, people, "member"),
                   page_count(visit->arena, admins, "administrator"));
    }
}

/* A community that began with --demo and went on: its members' password is in the manual. */
static bool has_demo_password(struct visit *visit)
{
    struct passwords passwords;
    struct why why;
    bool known = false, rehash;
    if (passwords_open(&passwords, PASSWORD_COST_OWASP, &why)) return false;
    struct query *q = db_query_text(visit->db, "SELECT password_hash FROM users WHERE username_key"
                                               " IN ('demo_lan', 'demo_tom') AND is_ai = 0");
    while (query_next(q) && !known) {
        known = password_verify(&passwords, query_get_str(q, 0), str_of(seed_demo_password),
                                &rehash, &why) == OK;
    }
    return query_end(q, &why) == OK && known;
}

static void check_demo(struct visit *visit)
{
    const char *host, *port;
    struct why why;
    if (!visit->has_schema || !has_demo_password(visit)) return;
    bool near = vet_address(visit->arena, visit->settings->listen, &host, &port, &why) == OK &&
                host[0] != '\0' && is_near(host);
    visit_tell(visit, near ? FINDING_WARN : FINDING_WRONG, "demo members",
               "log in as each of them and change it (PUT /auth/password), or begin anew in "
               "another folder, without --demo",
               "everybody knows the password of demo_lan or demo_tom%s",
               near ? "; fine while only this machine can ask" : "");
}

/* --- the machine --- */

static void check_files(struct visit *visit)
{
    struct rlimit limit;
    uint64_t wanted = (uint64_t)visit->settings->connections_max + FILES_OF_OUR_OWN;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= wanted) {
        visit_tell(visit, FINDING_OK, "open files", NULL, "enough for %lld connections",
                   (long long)visit->settings->connections_max);
        return;
    }
    uint64_t usable = limit.rlim_max > FILES_OF_OUR_OWN ? limit.rlim_max - FILES_OF_OUR_OWN : 1;
    visit_tell(visit, FINDING_WARN, "open files",
               arena_printf(visit->arena,
                            "LimitNOFILE=%llu in the systemd unit (ulimit -Hn), or "
                            "--connections-max %llu",
                            (unsigned long long)wanted, (unsigned long long)usable)
                   .at,
               "this machine allows %llu, and %lld connections need %llu",
               (unsigned long long)limit.rlim_max, (long long)visit->settings->connections_max,
               (unsigned long long)wanted);
}

/* Tokens and the order of everything rest on the clock. */
static void check_clock(struct visit *visit)
{
    char now[CLOCK_ISO_BYTES];
    int64_t now_us = clock_wall_us(), year_us = INT64_C(31556952) * 1000000;
    const char *mend = "set the clock and keep it right: timedatectl set-ntp true";
    struct stat info;
    clock_iso_short(now_us, now);
    if (now_us < (YEAR_MIN - 1970) * year_us || now_us > (YEAR_MAX - 1970) * year_us) {
        visit_tell(visit, FINDING_WRONG, "clock", mend, "it shows %s UTC", now);
        return;
    }
    bool file = visit->has_url && visit->url.kind == DB_SQLITE && stat(visit->url.path, &info) == 0;
    if (file && info.st_mtime > now_us / 1000000 + 3600) {
        visit_tell(visit, FINDING_WRONG, "clock", mend,
                   "it shows %s UTC, which is before the last change of the database", now);
        return;
    }
    visit_tell(visit, FINDING_OK, "clock", NULL, "%s UTC", now);
}

/* --- all together --- */

static void summarize(const struct visit *visit)
{
    size_t wrong = visit->count[FINDING_WRONG], warned = visit->count[FINDING_WARN];
    putchar('\n');
    if (wrong + warned == 0) {
        puts("Everything is in order.");
        return;
    }
    printf("%s wrong, %s.\n",
           wrong == 0   ? "Nothing is"
           : wrong == 1 ? "One thing is"
                        : arena_printf(visit->arena, "%zu things are", wrong).at,
           page_count(visit->arena, warned, "warning"));
}

/* A budget of money needs a price for every model that may be asked. */
static void check_town_money(struct visit *visit)
{
    const struct settings *settings = visit->settings;
    struct llm *llm = NULL;
    struct why why;
    /* What is no amount is said among the settings. */
    if (!settings->town || settings->town_model_money.len == 0 || budget_vet(settings, &why))
        return;
    enum err err = llm_open(settings, &llm, &why);
    if (!err) err = budget_check(settings, llm, &why);
    if (err)
        visit_tell(visit, FINDING_WRONG, "residents",
                   "set --llm-prices, MODEL=IN/OUT of a million tokens", "%s", why.text);
    else
        visit_tell(visit, FINDING_OK, "residents", NULL,
                   "every model residents may ask has a price");
    llm_free(llm);
}

int run_doctor(struct args *args)
{
    static void (*const checks[])(struct visit * visit) = {
        check_settings, check_data,     check_space,    check_file_system, check_keys,
        check_uploads,  check_database, check_schema,   check_instances,   check_soundness,
        check_password, check_people,   check_demo,     doctor_port,       check_files,
        check_clock,    doctor_redis,   doctor_comfyui, check_town_money,  doctor_wiki,
    };
    if (args->word_count > 0) return usage_error("doctor takes settings only");
    wiki_old_embedder(&args->settings, &args->arena, environ);
    struct visit visit = {
        .arena = &args->arena, .settings = &args->settings, .colour = page_colour(STDOUT_FILENO)};
    struct why why;
    if (log_open(NULL, LOG_ERROR, &why)) return fail(&why);
    visit.has_url = db_url_parse(visit.arena, args->settings.database, &visit.url, &why) == OK;
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        checks[i](&visit);
        fflush(stdout); /* some take a while */
    }
    db_close(visit.db);
    summarize(&visit);
    return visit.count[FINDING_WRONG] > 0 ? 1 : 0;
}
