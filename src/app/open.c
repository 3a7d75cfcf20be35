/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "app/open.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/db_url.h"

enum err open_log(const struct settings *settings, struct why *why)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};
    enum log_level level = LOG_INFO;
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        if (str_eq(settings->log_level, str_of(levels[i].name))) level = levels[i].level;
    }
    struct why inner;
    enum err err = log_open(settings->log_file.at, level, &inner);
    if (!err) return OK;
    return why_set(why, err, "setting log-file is \"%s\": %s; allowed: a file that can be written",
                   settings->log_file.at, inner.text);
}

/* Every missing part of the path, like mkdir -p. */
static enum err make_folder(const char *setting, struct str path, struct why *why)
{
    char part[4096];
    if (path.len >= sizeof(part)) {
        return why_set(why, ERR_INVALID, "setting %s is a path of %zu bytes; allowed: 4,095",
                       setting, path.len);
    }
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.at[i] != '/') continue;
        str_copy(part, sizeof(part), str_head(path, i));
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return why_set(why, ERR_IO,
                           "setting %s is \"%s\"; allowed: a folder that is there or can be made, "
                           "but %s cannot: %s",
                           setting, path.at, part, strerror(errno));
        }
    }
    struct stat info; /* a start must not succeed with a file where the pictures should go */
    if (stat(path.at, &info) == 0 && S_ISDIR(info.st_mode)) return OK;
    return why_set(why, ERR_INVALID, "setting %s is \"%s\", which is no folder", setting, path.at);
}

enum err open_data_folder(const struct settings *settings, struct why *why)
{
    enum err err = make_folder("data", settings->data_dir, why);
    return err ? err : make_folder("upload-dir", settings->upload_dir, why);
}

enum err open_keyring(const struct settings *settings, struct keyring **keyring_out,
                      struct why *why)
{
    return keyring_open(settings->data_dir.at, settings->jwt_secret, clock_wall_us() / 1000000,
                        keyring_out, why);
}

static bool is_here(const struct settings *settings)
{
    return str_starts(settings->database, STR("sqlite:"));
}

enum err open_database(const struct settings *settings, struct store **store_out, struct why *why)
{
    struct str url = settings->database;
    size_t group_max = (size_t)settings->commit_group_max;
    if (!is_here(settings)) {
        enum err err = store_open(url, group_max, store_out, why);
        return err ? err : open_data_folder(settings, why);
    }
    enum err err = open_data_folder(settings, why);
    return err ? err : store_open(url, group_max, store_out, why);
}

enum err open_to_look(const struct settings *settings, struct db **db_out, struct why *why)
{
    struct arena arena = {0};
    struct db_url url;
    enum err err = db_url_parse(&arena, settings->database, &url, why);
    if (!err && url.kind == DB_SQLITE && access(url.path, F_OK) != 0) {
        err = why_set(why, ERR_NOT_FOUND,
                      "there is no community in %s yet; name its folder with --data, or begin one "
                      "with `hutong serve`",
                      url.path);
    }
    arena_release(&arena);
    return err ? err : db_open(settings->database, DB_LOOK, db_out, why);
}

enum err open_store(const struct settings *settings, struct store **store_out, struct db **db_out,
                    struct why *why)
{
    *store_out = NULL;
    enum err err = open_database(settings, store_out, why);
    if (!err) err = store_connect(*store_out, db_out, why);
    if (err) store_close(*store_out);
    return err;
}
