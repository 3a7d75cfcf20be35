/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/settings.h: everything an operator can set, in one table.
 *
 * A row names the setting, the environment variables that set it (ours first,
 * then the names of the systems we replace), its type, default, bounds and a
 * sentence of help. From the table come reading, checking, `hutong settings`
 * and the manual. Order of strength: command line, environment, `.env` file in
 * the working directory, default. Filled once, at start-up; read-only after,
 * on any thread.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* From where a value comes. */
enum setting_origin {
    SETTING_BY_DEFAULT,
    SETTING_BY_DOTENV,
    SETTING_BY_ENVIRONMENT,
    SETTING_BY_COMMAND_LINE
};

enum { SETTINGS_MAX = 160 };

struct settings {
    unsigned char origin[SETTINGS_MAX]; /* of each row of the table: enum setting_origin */
    /* Server */
    struct str listen;       /* HOST:PORT */
    struct str data_dir;     /* holds database, keys, uploads */
    struct str database;     /* URL; empty: sqlite:DATA/hutong.db */
    struct str cors_origins; /* comma-separated */
    struct str
        trusted_proxies;     /* comma-separated addresses whose X-Forwarded-For and -Proto count */
    int64_t loops;           /* 0: one per core */
    int64_t workers;         /* 0: one per core */
    int64_t connections_max; /* per process */
    int64_t connections_per_address;
    int64_t head_timeout_s;
    int64_t body_timeout_s; /* between two pieces of a body */
    int64_t idle_timeout_s; /* keep-alive */
    int64_t drain_timeout_s;
    int64_t maintenance_s;  /* between two rounds */
    int64_t ready_writer_s; /* longer without a commit: not ready */
    bool gzip;
    /* Store */
    int64_t commit_group_max;
    int64_t event_retention;   /* events kept per topic */
    int64_t event_retention_h; /* and at least this long */
    /* Logs */
    struct str log_file;
    struct str log_level;
    bool access_log;
    /* Accounts */
    struct str jwt_secret; /* extra verification key of an old system; empty: none */
    int64_t token_minutes_app;
    int64_t token_minutes_form;
    int64_t refresh_days;
    int64_t password_queue_max;
    bool registration;
    /* Limits: requests a minute for each caller */
    int64_t rate_read;
    int64_t rate_write;
    int64_t rate_login;
    int64_t rate_upload;
    int64_t rate_chat;
    /* Live */
    int64_t live_queue_bytes;
    int64_t live_ping_s;
    int64_t live_ticket_s;
    struct str live_origins; /* comma-separated; empty: same origin and cors_origins */
    struct str redis;        /* URL of the broker between instances; empty: none */
    /* Chat */
    bool chat_open;
    struct str chat_open_models; /* patterns of what strangers may name, comma-separated */
    int64_t chat_linger_s;
    bool chat_titles;
    /* Wikis */
    struct str wiki_guests;    /* off, read, ask, add: what strangers may */
    bool wiki_auth_mode;       /* strangers show a code for what costs or changes something … */
    struct str wiki_auth_code; /* … this one */
    struct str wiki_roots;     /* folders whose insides may be read, separated by ':' */
    struct str wiki_config;    /* folder with configuration of the older program; empty: none */
    /* The town */
    bool town;
    int64_t town_speed; /* game minutes in a real one */
    int64_t town_seed;  /* 0: drawn */
    int64_t town_comments_read;
    int64_t town_posts_hour, town_comments_hour, town_messages_hour;
    int64_t town_model_share, town_model_calls, town_model_tokens;
    struct str town_model_money; /* an amount; empty: no limit */
    struct str town_late;
    struct str comfyui_url, comfyui_workflow; /* empty: no pictures */
    int64_t comfyui_timeout_s;
    int64_t town_pictures_share, town_pictures_day;
    /* Wikis */
    struct str wiki_hosts; /* ',' between hosts of own networks; empty: none */
    int64_t wiki_minutes, wiki_megabytes, wiki_context_tokens, wiki_pages_at_once;
    struct str wiki_embedder;         /* SITE/MODEL; empty: none */
    int64_t wiki_embedder_dimensions; /* 0: the model's own */
    bool wiki_embedder_taken_over;    /* no setting: see wiki/old_config.h */
    /* Files */
    struct str upload_dir; /* empty: DATA/uploads */
    int64_t image_bytes_max, upload_member_bytes, upload_unused_days;
    int64_t avatar_bytes_max;
    int64_t image_pixels_max;
    int64_t uploads_at_once;
    /* Models */
    struct str llm_model;              /* SITE/MODEL; empty: the first site that is set up */
    struct str llm_fallback;           /* SITE or SITE/MODEL, comma-separated */
    struct str llm_sites;              /* NAME=URL of more servers that speak OpenAI's API */
    struct str llm_record, llm_replay; /* files of answers; empty: none */
    struct str llm_keys_file;          /* lines NAME KEY [KEY...]; mode 0600 */
    struct str llm_quirks;             /* SITE:WORD, comma-separated */
    bool llm_probe;
    int64_t llm_at_once, llm_queue_max;
    int64_t llm_connect_s, llm_first_s, llm_idle_s, llm_total_s, llm_queue_s; /* 0: by site */
    int64_t llm_context_tokens;
    struct str llm_prices; /* MODEL=IN/OUT of a million tokens, comma-separated */
    bool llm_share, llm_cache;
    int64_t llm_cache_bytes;
    struct str openai_base, openai_key;
    struct str azure_base, azure_key, azure_version;
    struct str google_base, google_key;
    struct str anthropic_base, anthropic_key;
    struct str ollama_base, lmstudio_base;
    struct str dashscope_base, dashscope_key, dashscope_workspace;
    struct str openrouter_key, deepseek_key;
    /* Old database names, joined into `database` when MYSQL_HOST or one of them is set */
    struct str mysql_host, mysql_user, mysql_password, mysql_database;
    int64_t mysql_port;
    struct str api_host;
    /* Names that are read so that another value than ours is not passed over */
    struct str jwt_algorithm, upload_url_prefix;
    int64_t api_port;
};

enum setting_type { SETTING_TEXT, SETTING_INT, SETTING_BOOL, SETTING_CHOICE, SETTING_SECRET };

struct setting {
    const char *name;  /* --name on the command line */
    const char *names; /* environment names, blank-separated */
    enum setting_type type;
    size_t at;           /* offset in struct settings */
    const char *initial; /* default, as text */
    int64_t min, max;    /* SETTING_INT */
    const char *choices; /* SETTING_CHOICE: blank-separated */
    const char *help;
};

extern const struct setting settings_table[];
extern const size_t settings_count;

/* Where a value comes from before the default. */
struct setting_value {
    const char *name, *value;
};

/*
 * Fill `*settings` from the sources. `given` are the command line's (`count`
 * of them). `dotenv` is the text of a `.env` file or empty; `env` is the
 * environment (`environ`). Texts live in `arena`. ERR_INVALID names the
 * setting, the value and what is allowed. Names in `.env` that nobody knows
 * are no error: other programs share the file.
 */
MUST_USE enum err settings_load(struct arena *arena, struct settings *settings,
                                const struct setting_value *given, size_t count, struct str dotenv,
                                char *const *env, struct why *why);

/* Tells each name that begins with HUTONG_ and is no setting (but those of our scripts and tests),
 * and each line of `.env` that says nothing: "HUTONG_LOOPSS in .env". */
typedef void settings_strange_tell(void *ctx, const char *what);
void settings_strange(struct str dotenv, char *const *env, settings_strange_tell *tell, void *ctx);
/* The row by its name, or NULL. */
const struct setting *setting_find(struct str name);
/* The current value as text ("***" for a secret that is set). In `arena`. */
struct str setting_text(struct arena *arena, const struct settings *settings,
                        const struct setting *setting);
/* The same for others to read: no secrets in an address. */
struct str setting_public(struct arena *arena, const struct settings *settings,
                          const struct setting *setting);
/* scheme://USER:PASSWORD@… with *** for the password; of http and https also for a user alone and
 * for what stands behind the '=' of a query. */
struct str setting_hide_secrets(struct arena *arena, struct str url);
enum setting_origin setting_origin(const struct settings *settings, const struct setting *setting);
