/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/settings.h"

#define AT(field) offsetof(struct settings, field)
#define TEXT(field, name, names, initial, help)                                                    \
    {                                                                                              \
        name, names, SETTING_TEXT, AT(field), initial, 0, 0, NULL, help                            \
    }
#define INT(field, name, names, initial, min, max, help)                                           \
    {                                                                                              \
        name, names, SETTING_INT, AT(field), initial, min, max, NULL, help                         \
    }
#define BOOL(field, name, names, initial, help)                                                    \
    {                                                                                              \
        name, names, SETTING_BOOL, AT(field), initial, 0, 0, NULL, help                            \
    }

/* One row a setting, help below it. */
/* clang-format off */
const struct setting settings_table[] = {
    TEXT(listen, "listen", "HUTONG_LISTEN", "",
         "Address to listen on, HOST:PORT. Port 0 takes a free one. Default 127.0.0.1:8000, or API_HOST and API_PORT where those are set."),
    TEXT(data_dir, "data", "HUTONG_DATA", "./data",
         "Folder for the database, the signing keys and uploads. Created when missing."),
    TEXT(database, "database", "HUTONG_DATABASE DATABASE_URL", "",
         "sqlite:PATH or mysql://USER:PASSWORD@HOST:PORT/NAME. Default: sqlite in the data folder, or the MYSQL_* names where those are set. One with a password belongs in the environment or in .env."),
    TEXT(cors_origins, "cors-origins", "HUTONG_CORS_ORIGINS FRONTEND_URL", "http://localhost:3000",
         "Web origins that may call the API from a browser, separated by commas. http://localhost:3000 and http://127.0.0.1:3000 are always allowed."),
    TEXT(trusted_proxies, "trusted-proxies", "HUTONG_TRUSTED_PROXIES", "",
         "Addresses of reverse proxies, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are believed."),
    INT(loops, "loops", "HUTONG_LOOPS", "0", 0, 256, "Event loops; 0 is one per core."),
    INT(workers, "workers", "HUTONG_WORKERS", "0", 0, 256,
        "Threads for slow work (passwords, pictures); 0 is one per core, at least 2."),
    INT(connections_max, "connections-max", "HUTONG_CONNECTIONS_MAX", "20000", 1, 1000000,
        "Open connections at once; more are answered 503."),
    INT(connections_per_address, "connections-per-address", "HUTONG_CONNECTIONS_PER_ADDRESS", "0", 0, 1000000,
        "Open connections of one address; more are answered 429. 0 is no limit, for servers behind a proxy that limits."),
    INT(head_timeout_s, "head-timeout", "HUTONG_HEAD_TIMEOUT", "15", 1, 3600,
        "Seconds a client has for the head of a request and the first byte of its body."),
    INT(body_timeout_s, "body-timeout", "HUTONG_BODY_TIMEOUT", "15", 1, 3600,
        "Seconds between two pieces of a body; all of it has these and one more for every 500 bytes."),
    INT(idle_timeout_s, "idle-timeout", "HUTONG_IDLE_TIMEOUT", "75", 1, 86400,
        "Seconds a connection may wait for its next request."),
    INT(drain_timeout_s, "drain-timeout", "HUTONG_DRAIN_TIMEOUT", "10", 0, 3600,
        "Seconds running requests have to finish after SIGTERM."),
    INT(maintenance_s, "maintenance-seconds", "HUTONG_MAINTENANCE_SECONDS", "60", 1, 86400,
        "Seconds between two rounds of housekeeping: old log-ins, keys, live events and unfinished pictures."),
    INT(ready_writer_s, "ready-writer-seconds", "HUTONG_READY_WRITER_SECONDS", "10", 1, 3600,
        "Seconds for which changes may wait for the embedded database before /health/ready answers 503."),
    BOOL(gzip, "gzip", "HUTONG_GZIP", "on", "Compress text answers for clients that ask for it."),
    INT(commit_group_max, "commit-group-max", "HUTONG_COMMIT_GROUP_MAX", "64", 1, 4096,
        "Most changes that one commit of the embedded database makes durable together."),
    INT(event_retention, "event-retention", "HUTONG_EVENT_RETENTION", "10000", 100, 10000000,
        "Live events kept per topic for clients that come back."),
    INT(event_retention_h, "event-retention-hours", "HUTONG_EVENT_RETENTION_HOURS", "72", 1, 8760,
        "Hours after which a live event may go."),
    TEXT(log_file, "log-file", "HUTONG_LOG_FILE", "-", "File for the log, reopened on SIGHUP; - is standard error."),
    {"log-level", "HUTONG_LOG_LEVEL", SETTING_CHOICE, AT(log_level), "info", 0, 0, "error warn info debug",
     "Least important lines to log."},
    BOOL(access_log, "access-log", "HUTONG_ACCESS_LOG", "on", "One log line for each request."),
    {"jwt-secret", "HUTONG_JWT_SECRET JWT_SECRET_KEY", SETTING_SECRET, AT(jwt_secret), "", 0, 0, NULL,
     "Signing secret of an older installation: its tokens stay valid until they expire. New tokens use the keys in the data folder."},
    INT(token_minutes_app, "token-minutes", "HUTONG_TOKEN_MINUTES", "15", 1, 1440,
        "Minutes an access token lives for clients that log in with JSON and get a refresh token."),
    INT(token_minutes_form, "token-minutes-form", "HUTONG_TOKEN_MINUTES_FORM JWT_EXPIRE_MINUTES", "1440", 1, 525600,
        "Minutes an access token lives for older clients that log in with a form and cannot refresh."),
    INT(refresh_days, "refresh-days", "HUTONG_REFRESH_DAYS", "30", 1, 365,
        "Days after which a login that was not used must be repeated."),
    INT(password_queue_max, "password-queue-max", "HUTONG_PASSWORD_QUEUE_MAX", "256", 1, 10000,
        "Log-ins and registrations that may wait for their password hash; more are answered 503."),
    BOOL(registration, "registration", "HUTONG_REGISTRATION", "on", "Whether strangers may register."),
    INT(rate_read, "rate-read", "HUTONG_RATE_READ", "6000", 0, 100000000, "Reads a minute for each caller; 0 is no limit."),
    INT(rate_write, "rate-write", "HUTONG_RATE_WRITE", "600", 0, 100000000, "Changes a minute for each caller; 0 is no limit."),
    INT(rate_login, "rate-login", "HUTONG_RATE_LOGIN", "20", 0, 100000000,
        "Log-in attempts a minute for each address and each account; 0 is no limit."),
    INT(rate_upload, "rate-upload", "HUTONG_RATE_UPLOAD", "60", 0, 100000000, "Uploads a minute for each caller; 0 is no limit."),
    INT(rate_chat, "rate-chat", "HUTONG_RATE_CHAT", "60", 0, 100000000, "Questions to a model a minute for each caller; 0 is no limit."),
    INT(live_queue_bytes, "live-queue-bytes", "HUTONG_LIVE_QUEUE_BYTES", "1048576", 4096, 1073741824,
        "Bytes that may wait for one slow live reader before it is told to resume."),
    INT(live_ping_s, "live-ping", "HUTONG_LIVE_PING", "25", 1, 3600, "Seconds between pings to live readers."),
    INT(live_ticket_s, "live-ticket-seconds", "HUTONG_LIVE_TICKET_SECONDS", "30", 1, 300,
        "Seconds within which a ticket for /live must be used."),
    TEXT(live_origins, "live-origins", "HUTONG_LIVE_ORIGINS", "",
         "Web origins that may open /live, separated by commas, besides the server's own and cors-origins."),
    TEXT(redis, "redis", "HUTONG_REDIS REDIS_URL", "", "redis://HOST:PORT of the broker between several instances; empty for one instance."),
    BOOL(chat_open, "chat-open", "HUTONG_CHAT_OPEN", "on",
         "Whether strangers may ask the model over /chat, as clients of the older chat server do; off: members only."),
    TEXT(chat_open_models, "chat-open-models", "HUTONG_CHAT_OPEN_MODELS", "",
         "Models that strangers may name over /chat besides the default one, SITE/MODEL, separated by commas; * stands for anything."),
    INT(chat_linger_s, "chat-linger-seconds", "HUTONG_CHAT_LINGER_SECONDS", "120", 0, 86400,
        "Seconds an answer in a conversation goes on when nobody reads it any more; a research of a wiki goes on to its end."),
    BOOL(chat_titles, "chat-titles", "HUTONG_CHAT_TITLES", "on",
         "Whether the model that gave the first answer of a conversation is asked for its title too; off: the first words of the question."),
    {"wiki-guests", "HUTONG_WIKI_GUESTS", SETTING_CHOICE, AT(wiki_guests), "ask", 0, 0, "off read ask add",
     "What strangers may do with wikis that are for everyone: off: nothing; read them; ask: also ask questions, which costs tokens; add: also add, replace and delete some. Members may all of it."},
    BOOL(wiki_auth_mode, "wiki-auth-mode", "HUTONG_WIKI_AUTH_MODE DEEPWIKI_AUTH_MODE", "off",
         "Whether strangers have to show wiki-auth-code before they do what costs or changes something; with it they may all of it."),
    {"wiki-auth-code", "HUTONG_WIKI_AUTH_CODE DEEPWIKI_AUTH_CODE", SETTING_SECRET, AT(wiki_auth_code), "", 0, 0, NULL,
     "The code that wiki-auth-mode asks for."},
    TEXT(wiki_roots, "wiki-roots", "HUTONG_WIKI_ROOTS", "",
         "Folders of this machine, separated by ':', whose insides wikis may be made of; empty: none."),
    TEXT(wiki_config, "wiki-config", "HUTONG_WIKI_CONFIG DEEPWIKI_CONFIG_DIR", "",
         "Folder with generator.json and lang.json of an older deepwiki-open: which models and languages its page offers."),
    BOOL(town, "town", "HUTONG_TOWN", "on", "Whether the residents live in a town here; off: another instance or nobody runs it."),
    INT(town_speed, "town-speed", "HUTONG_TOWN_SPEED", "60", 1, 600000,
        "Game minutes in a real minute, for a town that is founded; 60: a day takes 24 minutes. Later by POST /town/control."),
    INT(town_model_share, "town-model-share", "HUTONG_TOWN_MODEL_SHARE", "30", 0, 100,
        "Per cent of residents' free decisions that are put to the model, where one is set up; sleep, work and meals are decided without."),
    INT(town_model_calls, "town-model-calls", "HUTONG_TOWN_MODEL_CALLS", "24", 0, 250,
        "Decisions, plans of days and conversations put to the model a resident and game day, at most."),
    INT(town_model_tokens, "town-model-tokens", "HUTONG_TOWN_MODEL_TOKENS", "0", 0, 1000000000000,
        "Tokens a day (UTC) that residents' decisions and conversations may cost; then they do without the model. 0 is no limit."),
    TEXT(town_model_money, "town-model-money", "HUTONG_TOWN_MODEL_MONEY", "",
         "Money a day (UTC) that everything the town asks of models may cost, in the unit of llm-prices, which must have a price for each of them (2.5); then residents do without the model. Empty or 0 is no limit."),
    {"town-late", "HUTONG_TOWN_LATE", SETTING_CHOICE, AT(town_late), "degrade", 0, 0, "degrade wait skip",
     "When the model is slower than the clock: degrade: the resident decides without it; wait: the clock stands, a minute at most; skip: the resident waits ten game minutes."},
    INT(town_comments_read, "town-comments-read", "HUTONG_TOWN_COMMENTS_READ AI_BROWSE_COMMENTS_LIMIT", "10", 0, 100,
        "Newest comments below a post that a model sees before a resident comments on it."),
    INT(town_posts_hour, "town-posts-hour", "HUTONG_TOWN_POSTS_HOUR", "3", 0, 1000,
        "Posts of a resident in an hour of the town's clock, at most; what is more is not written. 0: none."),
    INT(town_comments_hour, "town-comments-hour", "HUTONG_TOWN_COMMENTS_HOUR", "12", 0, 1000,
        "Comments of a resident in an hour of the town's clock, at most; in answer to a member, to each so many."),
    INT(town_messages_hour, "town-messages-hour", "HUTONG_TOWN_MESSAGES_HOUR", "60", 0, 1000,
        "Private messages of a resident in an hour of the town's clock, at most; to members, to each so many."),
    INT(town_seed, "town-seed", "HUTONG_TOWN_SEED", "0", 0, INT64_MAX, "Seed of a town that is founded; 0: drawn."),
    TEXT(comfyui_url, "comfyui-url", "HUTONG_COMFYUI_URL COMFYUI_API_URL", "",
         "Address of a ComfyUI that makes the pictures of residents' posts, like http://127.0.0.1:8188; empty: no pictures."),
    TEXT(comfyui_workflow, "comfyui-workflow", "HUTONG_COMFYUI_WORKFLOW", "",
         "File with the workflow for them, as ComfyUI's \"Export (API)\" writes it, with {{prompt}} where the prompt and {{seed}} where the seed goes. docs/comfyui-workflow.json is one."),
    INT(comfyui_timeout_s, "comfyui-timeout-seconds", "HUTONG_COMFYUI_TIMEOUT_SECONDS", "600", 1, 86400,
        "Seconds ComfyUI may take for a picture; then the try has failed."),
    INT(town_pictures_share, "town-pictures-share", "HUTONG_TOWN_PICTURES_SHARE", "25", 0, 100,
        "Per cent of residents' posts that get a picture, where a ComfyUI is set up."),
    INT(town_pictures_day, "town-pictures-day", "HUTONG_TOWN_PICTURES_DAY", "4", 0, 1000,
        "Pictures a resident and day (UTC), at most."),
    TEXT(wiki_hosts, "wiki-hosts", "HUTONG_WIKI_HOSTS", "",
         "Hosts of own networks that repositories may be fetched from, as HOST or HOST:PORT with ',' between them; hosts of the internet need not be named."),
    INT(wiki_minutes, "wiki-minutes", "HUTONG_WIKI_MINUTES", "30", 1, 1440, "Minutes that fetching a repository may take."),
    INT(wiki_megabytes, "wiki-megabytes", "HUTONG_WIKI_MEGABYTES", "2048", 1, 1048576,
        "Megabytes that a fetched repository may have."),
    INT(wiki_context_tokens, "wiki-context-tokens", "HUTONG_WIKI_CONTEXT_TOKENS", "12000", 500, 1000000,
        "Tokens of a repository that are put before a model for one question; less for models that can't read so much."),
    TEXT(wiki_embedder, "wiki-embedder", "HUTONG_WIKI_EMBEDDER", "",
         "SITE/MODEL that makes vectors of what stands in wikis, so that questions find places that say the same in other words (ollama/nomic-embed-text); empty: words alone lead to places."),
    INT(wiki_embedder_dimensions, "wiki-embedder-dimensions", "HUTONG_WIKI_EMBEDDER_DIMENSIONS", "0", 0, 8192,
        "Numbers in a vector to ask wiki-embedder for, of models that can give fewer than they have; 0: the model's own."),
    INT(wiki_pages_at_once, "wiki-pages-at-once", "HUTONG_WIKI_PAGES_AT_ONCE", "2", 1, 16,
        "Pages of a wiki that are written at a time; two wikis at most."),
    TEXT(upload_dir, "upload-dir", "HUTONG_UPLOAD_DIR UPLOAD_DIR", "", "Folder for pictures; default DATA/uploads."),
    INT(upload_member_bytes, "upload-member-bytes", "HUTONG_UPLOAD_MEMBER_BYTES", "2147483648", 0, INT64_MAX,
        "Bytes of pictures that one member may have here; 0 is no limit."),
    INT(upload_unused_days, "upload-unused-days", "HUTONG_UPLOAD_UNUSED_DAYS", "7", 0, 36500,
        "After so many days a picture that no post and no profile shows is deleted; 0: never. Those of deleted posts and changed avatars go at once."),
    INT(image_bytes_max, "image-bytes-max", "HUTONG_IMAGE_BYTES_MAX", "10485760", 1024, 1073741824, "Largest picture, in bytes."),
    INT(avatar_bytes_max, "avatar-bytes-max", "HUTONG_AVATAR_BYTES_MAX", "2097152", 1024, 1073741824, "Largest avatar, in bytes."),
    INT(image_pixels_max, "image-pixels-max", "HUTONG_IMAGE_PIXELS_MAX", "50000000", 10000, 1000000000,
        "Most pixels a picture may decode to: a small file can hold a huge picture."),
    INT(uploads_at_once, "uploads-at-once", "HUTONG_UPLOADS_AT_ONCE", "16", 1, 10000, "Uploads in progress at once; more are answered 503."),
    TEXT(llm_model, "llm-model", "HUTONG_LLM_MODEL", "",
         "Model that answers when none is named, SITE/MODEL, or SITE for the site's own default. Default: the first site that is set up, else what answers on this machine, else the offline engine."),
    TEXT(llm_fallback, "llm-fallback", "HUTONG_LLM_FALLBACK", "",
         "Sites or SITE/MODEL, separated by commas, that are asked in this order when the first cannot answer."),
    TEXT(llm_sites, "llm-sites", "HUTONG_LLM_SITES", "",
         "More servers that speak OpenAI's API, NAME=URL separated by commas (lab=http://10.0.0.5:8000/v1); their keys come from llm-keys-file."),
    TEXT(llm_keys_file, "llm-keys-file", "HUTONG_LLM_KEYS_FILE", "",
         "File with keys of model providers, one line SITE KEY [KEY...] each; must be readable by its owner alone (mode 0600)."),
    TEXT(llm_record, "llm-record", "HUTONG_LLM_RECORD", "",
         "File to which every answer of a model, embedding and list of models is appended, so that a run can be repeated with llm-replay."),
    TEXT(llm_replay, "llm-replay", "HUTONG_LLM_REPLAY", "",
         "File made by llm-record from which all answers, embeddings and lists come; no site is asked, and what is not in it fails."),
    TEXT(llm_quirks, "llm-quirks", "HUTONG_LLM_QUIRKS", "",
         "What a site does differently, SITE:WORD separated by commas. thinks-inside: its answers begin in the middle of a <think>; no-finish: it never says why it stopped; cumulative: each event repeats all before it; no-usage no-sampling no-schema no-json: what it refuses, where its errors don't teach us."),
    BOOL(llm_probe, "llm-probe", "HUTONG_LLM_PROBE", "on",
         "Without any site set up, look at start for LM Studio (port 1234) and Ollama (port 11434) on this machine."),
    INT(llm_at_once, "llm-at-once", "HUTONG_LLM_AT_ONCE", "0", 0, 100000,
        "Most requests one site gets at once; 0 is 256 for hosted sites, 8 for local ones (private addresses, names without a dot or in .local .lan .internal .home.arpa, Ollama, LM Studio). Fewer when the site says it is too much."),
    INT(llm_queue_max, "llm-queue-max", "HUTONG_LLM_QUEUE_MAX", "1000", 0, 1000000,
        "Requests that may wait for a place at one site; more are refused."),
    INT(llm_connect_s, "llm-connect-timeout", "HUTONG_LLM_CONNECT_TIMEOUT", "0", 0, 600,
        "Seconds to reach a site; 0 is 5 for hosted sites, 2 for local ones."),
    INT(llm_first_s, "llm-first-timeout", "HUTONG_LLM_FIRST_TIMEOUT", "0", 0, 3600,
        "Seconds until the first word of an answer; 0 is 60 for hosted sites, 300 for models that think and for local sites, which may have to load their model."),
    INT(llm_idle_s, "llm-idle-timeout", "HUTONG_LLM_IDLE_TIMEOUT", "0", 0, 3600,
        "Seconds of silence between two words; 0 is 180 for hosted sites, 300 for models that think and for local sites."),
    INT(llm_total_s, "llm-total-timeout", "HUTONG_LLM_TOTAL_TIMEOUT", "0", 0, 86400,
        "Seconds for one whole answer; 0 is 600 for hosted sites, 1800 for local ones."),
    INT(llm_queue_s, "llm-queue-timeout", "HUTONG_LLM_QUEUE_TIMEOUT", "120", 1, 3600,
        "Seconds a request may wait for a place at a site."),
    INT(llm_context_tokens, "llm-context-tokens", "HUTONG_LLM_CONTEXT_TOKENS", "8192", 512, 10000000,
        "Context size asked of Ollama, which else cuts long conversations without a word."),
    TEXT(llm_prices, "llm-prices", "HUTONG_LLM_PRICES", "",
         "What models cost, MODEL=IN/OUT of a million tokens of input and of output, separated by commas (gpt-4o=2.5/10, qwen*=0.4/1.2); * stands for anything, the first that fits counts."),
    BOOL(llm_share, "llm-share", "HUTONG_LLM_SHARE", "off",
         "Let identical requests of programs that are under way share one call of the model."),
    BOOL(llm_cache, "llm-cache", "HUTONG_LLM_CACHE", "off",
         "Answer requests of programs at temperature 0 with what the model said to the very same within the last hour."),
    INT(llm_cache_bytes, "llm-cache-bytes", "HUTONG_LLM_CACHE_BYTES", "67108864", 65536, 68719476736,
        "Bytes of memory such answers may take."),
    TEXT(openai_base, "openai-base", "HUTONG_OPENAI_BASE OPENAI_BASE_URL OPENAI_API_BASE", "",
         "Address of the site openai, or of any server that speaks its API. Default https://api.openai.com/v1."),
    {"openai-key", "OPENAI_API_KEY", SETTING_SECRET, AT(openai_key), "", 0, 0, NULL, "Its key; several are separated by commas."},
    TEXT(azure_base, "azure-base", "AZURE_OPENAI_ENDPOINT", "", "https://RESOURCE.openai.azure.com of the site azure; the model is the deployment."),
    {"azure-key", "AZURE_OPENAI_API_KEY", SETTING_SECRET, AT(azure_key), "", 0, 0, NULL, "Its key."},
    TEXT(azure_version, "azure-version", "AZURE_OPENAI_VERSION AZURE_OPENAI_API_VERSION", "", "Its api-version (2024-10-21); empty for the v1 API."),
    TEXT(google_base, "google-base", "HUTONG_GOOGLE_BASE", "", "Address of the site google (Gemini). Default https://generativelanguage.googleapis.com/v1beta."),
    {"google-key", "GOOGLE_API_KEY GEMINI_API_KEY", SETTING_SECRET, AT(google_key), "", 0, 0, NULL, "Its key."},
    TEXT(anthropic_base, "anthropic-base", "HUTONG_ANTHROPIC_BASE ANTHROPIC_BASE_URL", "", "Address of the site anthropic. Default https://api.anthropic.com."),
    {"anthropic-key", "ANTHROPIC_API_KEY", SETTING_SECRET, AT(anthropic_key), "", 0, 0, NULL, "Its key."},
    TEXT(ollama_base, "ollama-base", "HUTONG_OLLAMA_BASE OLLAMA_HOST", "", "Address of the site ollama. Default http://127.0.0.1:11434, if it answers there."),
    TEXT(lmstudio_base, "lmstudio-base", "HUTONG_LMSTUDIO_BASE", "", "Address of the site lmstudio. Default http://127.0.0.1:1234/v1, if it answers there."),
    TEXT(dashscope_base, "dashscope-base", "DASHSCOPE_BASE_URL", "",
         "Address of the site dashscope (Qwen). Default https://dashscope.aliyuncs.com; one that ends in /compatible-mode/v1 is asked in OpenAI's way."),
    {"dashscope-key", "DASHSCOPE_API_KEY", SETTING_SECRET, AT(dashscope_key), "", 0, 0, NULL, "Its key."},
    TEXT(dashscope_workspace, "dashscope-workspace", "DASHSCOPE_WORKSPACE_ID", "", "Its workspace, if it has one."),
    {"openrouter-key", "OPENROUTER_API_KEY", SETTING_SECRET, AT(openrouter_key), "", 0, 0, NULL, "Key of the site openrouter."},
    {"deepseek-key", "DEEPSEEK_API_KEY", SETTING_SECRET, AT(deepseek_key), "", 0, 0, NULL, "Key of the site deepseek."},
    TEXT(mysql_host, "mysql-host", "MYSQL_HOST", "", "Host of an older installation's database; without it the other MYSQL_ names do nothing. See database."),
    INT(mysql_port, "mysql-port", "MYSQL_PORT", "3306", 1, 65535, "Its port."),
    TEXT(mysql_user, "mysql-user", "MYSQL_USER", "root", "Its user."),
    {"mysql-password", "MYSQL_PASSWORD", SETTING_SECRET, AT(mysql_password), "", 0, 0, NULL, "Its password."},
    TEXT(mysql_database, "mysql-database", "MYSQL_DATABASE", "ai_community", "Its name."),
    TEXT(api_host, "api-host", "API_HOST", "", "Older name of the host part of listen."),
    {"jwt-algorithm", "JWT_ALGORITHM", SETTING_CHOICE, AT(jwt_algorithm), "HS256", 0, 0, "HS256",
     "How tokens are signed; there is one way."},
    {"upload-url-prefix", "UPLOAD_URL_PREFIX", SETTING_CHOICE, AT(upload_url_prefix), "/files", 0, 0, "/files",
     "Where pictures are served; other places never worked, the older program only said so in its answers."},
    INT(api_port, "api-port", "API_PORT", "8000", 0, 65535, "Older name of the port part of listen."),
};
/* clang-format on */
const size_t settings_count = COUNT_OF(settings_table);
static_assert(COUNT_OF(settings_table) <= SETTINGS_MAX, "each row has an origin");

const struct setting *setting_find(struct str name)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (str_eq(name, str_of(settings_table[i].name))) return &settings_table[i];
    }
    return NULL;
}

static void *field(const struct settings *settings, const struct setting *row)
{
    return (char *)(uintptr_t)settings + row->at;
}

static bool is_one_of(struct str value, const char *words)
{
    struct str rest = str_of(words), word;
    while (str_split(&rest, ' ', &word)) {
        if (str_eq(word, value)) return true;
    }
    return false;
}

/* As people and older programs write it: "on", "True", "t". */
static bool is_switch(struct str value, const char *words)
{
    struct str rest = str_of(words), word;
    while (str_split(&rest, ' ', &word)) {
        if (str_eq_nocase(word, value)) return true;
    }
    return false;
}

static enum err set_one(struct arena *arena, struct settings *settings, const struct setting *row,
                        const char *source, struct str value, struct why *why)
{
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_SECRET: *(struct str *)field(settings, row) = arena_copy(arena, value); return OK;
    case SETTING_CHOICE:
        if (!is_one_of(value, row->choices)) {
            return why_set(why, ERR_INVALID, "setting %s is \"%.*s\" (from %s); allowed: %s",
                           row->name, STR_ARGS(value), source, row->choices);
        }
        *(struct str *)field(settings, row) = arena_copy(arena, value);
        return OK;
    case SETTING_INT: {
        int64_t number;
        if (!str_to_i64(value, &number) || number < row->min || number > row->max) {
            return why_set(why, ERR_INVALID,
                           "setting %s is \"%.*s\" (from %s); allowed: a whole number from %lld to "
                           "%lld",
                           row->name, STR_ARGS(value), source, (long long)row->min,
                           (long long)row->max);
        }
        *(int64_t *)field(settings, row) = number;
        return OK;
    }
    case SETTING_BOOL: {
        bool on = is_switch(value, "on true t yes 1"), off = is_switch(value, "off false f no 0");
        if (!on && !off) {
            return why_set(why, ERR_INVALID, "setting %s is \"%.*s\" (from %s); allowed: on or off",
                           row->name, STR_ARGS(value), source);
        }
        *(bool *)field(settings, row) = on;
        return OK;
    }
    }
    return OK;
}

/* 'in "quotes"' and "in 'quotes'", with or without a comment behind; else up to a comment. */
static struct str dotenv_value(struct str value)
{
    if (value.len >= 2 && (value.at[0] == '"' || value.at[0] == '\'')) {
        struct str inside = str_from(value, 1);
        size_t end = str_find_byte(inside, value.at[0]);
        struct str behind = str_trim(str_from(inside, MIN(end + 1, inside.len)));
        if (end < inside.len && (behind.len == 0 || behind.at[0] == '#')) {
            return str_head(inside, end);
        }
    }
    return str_trim(str_head(value, str_find(value, STR(" #"))));
}

/* One NAME=VALUE line of a .env file; names compare without case, as the old programs did. */
static bool dotenv_line(struct str line, struct str *name_out, struct str *value_out)
{
    line = str_trim(line);
    if (str_starts(line, STR("export "))) line = str_trim(str_from(line, 7));
    size_t equals = str_find_byte(line, '=');
    if (line.len == 0 || line.at[0] == '#' || equals == line.len) return false;
    *name_out = str_trim(str_head(line, equals));
    *value_out = dotenv_value(str_trim(str_from(line, equals + 1)));
    return true;
}

static bool find_in_dotenv(struct str dotenv, struct str wanted, struct str *value_out)
{
    struct str rest = dotenv, line, name, value;
    bool found = false;
    while (str_split(&rest, '\n', &line)) {
        if (!dotenv_line(line, &name, &value) || !str_eq_nocase(name, wanted)) continue;
        *value_out = value;
        found = true;
    }
    return found;
}

static bool find_in_env(char *const *env, struct str wanted, struct str *value_out)
{
    for (; env && *env; env++) {
        struct str entry = str_of(*env);
        size_t equals = str_find_byte(entry, '=');
        if (equals == entry.len || !str_eq_nocase(str_head(entry, equals), wanted)) continue;
        *value_out = str_from(entry, equals + 1);
        return true;
    }
    return false;
}

struct found {
    struct str value;
    const char *source; /* for error sentences */
    enum setting_origin origin;
};

/* The strongest source of a row; what `*found` is stays when there is none. */
static void find_value(struct arena *arena, const struct setting *row,
                       const struct setting_value *given, size_t count, struct str dotenv,
                       char *const *env, struct found *found)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(given[i].name, row->name) != 0) continue;
        *found =
            (struct found){str_of(given[i].value), "the command line", SETTING_BY_COMMAND_LINE};
        return;
    }
    for (int where = 0; where < 2; where++) {
        struct str rest = str_of(row->names), name, value;
        while (str_split(&rest, ' ', &name)) {
            bool is_there =
                where == 0 ? find_in_env(env, name, &value) : find_in_dotenv(dotenv, name, &value);
            /* A variable set to nothing is how shells and compose files say "not set". */
            if (!is_there || value.len == 0) continue;
            struct str source =
                arena_printf(arena, "%s %.*s", where == 0 ? "environment" : ".env", STR_ARGS(name));
            *found = (struct found){value, source.at,
                                    where == 0 ? SETTING_BY_ENVIRONMENT : SETTING_BY_DOTENV};
            return;
        }
    }
}

/* Percent-encode what has a meaning in a URL: passwords may hold '@', '/' and ':'. */
static struct str url_escape(struct arena *arena, struct str raw)
{
    struct str out = {arena_alloc(arena, raw.len * 3 + 1), 0};
    char *to = (char *)(uintptr_t)out.at;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr("-._~", c) != NULL;
        if (plain) {
            to[out.len++] = (char)c;
        } else {
            snprintf(to + out.len, 4, "%%%02X", c);
            out.len += 3;
        }
    }
    return out;
}

/* What follows from other settings. */
static void derive(struct arena *arena, struct settings *s)
{
    if (s->listen.len == 0) {
        struct str host = s->api_host.len ? s->api_host : STR("127.0.0.1");
        s->listen = arena_printf(arena, "%.*s:%lld", STR_ARGS(host), (long long)s->api_port);
    }
    if (s->database.len == 0 && s->mysql_host.len > 0) {
        struct str user = url_escape(arena, s->mysql_user);
        struct str password = url_escape(arena, s->mysql_password);
        s->database = arena_printf(arena, "mysql://%.*s:%.*s@%.*s:%lld/%.*s", STR_ARGS(user),
                                   STR_ARGS(password), STR_ARGS(s->mysql_host),
                                   (long long)s->mysql_port, STR_ARGS(s->mysql_database));
    }
    if (s->database.len == 0) {
        s->database = arena_printf(arena, "sqlite:%.*s/hutong.db", STR_ARGS(s->data_dir));
    }
    if (s->upload_dir.len == 0) {
        s->upload_dir = arena_printf(arena, "%.*s/uploads", STR_ARGS(s->data_dir));
    }
}

enum err settings_load(struct arena *arena, struct settings *settings,
                       const struct setting_value *given, size_t count, struct str dotenv,
                       char *const *env, struct why *why)
{
    *settings = (struct settings){0};
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_table[i];
        struct found found = {str_of(row->initial), "the default", SETTING_BY_DEFAULT};
        find_value(arena, row, given, count, dotenv, env, &found);
        enum err err = set_one(arena, settings, row, found.source, found.value, why);
        if (err) return err;
        settings->origin[i] = (unsigned char)found.origin;
    }
    derive(arena, settings);
    return OK;
}

static bool is_known(struct str name)
{
    static const char *const scripts[] = {"HUTONG_BIN", "HUTONG_COMMIT", "HUTONG_SETUP",
                                          "HUTONG_VERSION"};
    if (!str_starts(name, STR("HUTONG_")) || str_starts(name, STR("HUTONG_TEST_"))) return true;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        if (str_eq(name, str_of(scripts[i]))) return true;
    }
    for (size_t i = 0; i < settings_count; i++) {
        struct str rest = str_of(settings_table[i].names), one;
        while (str_split(&rest, ' ', &one)) {
            if (str_eq_nocase(one, name)) return true;
        }
    }
    return false;
}

void settings_strange(struct str dotenv, char *const *env, settings_strange_tell *tell, void *ctx)
{
    char what[200];
    struct str rest = dotenv, line, name, value;
    for (int number = 1; str_split(&rest, '\n', &line); number++) {
        bool says = dotenv_line(line, &name, &value);
        line = str_trim(line);
        if (says && !is_known(name)) {
            snprintf(what, sizeof(what), "%.*s in .env", (int)MIN(name.len, 100u), name.at);
        } else if (!says && line.len > 0 && line.at[0] != '#') {
            snprintf(what, sizeof(what), "line %d of .env, which is no NAME=VALUE,", number);
        } else {
            continue;
        }
        tell(ctx, what);
    }
    for (; env && *env; env++) {
        name = str_head(str_of(*env), str_find_byte(str_of(*env), '='));
        if (is_known(name)) continue;
        snprintf(what, sizeof(what), "%.*s in the environment", (int)MIN(name.len, 100u), name.at);
        tell(ctx, what);
    }
}

struct str setting_text(struct arena *arena, const struct settings *settings,
                        const struct setting *row)
{
    const void *at = field(settings, row);
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_CHOICE: return *(const struct str *)at;
    case SETTING_SECRET: return ((const struct str *)at)->len ? STR("***") : STR("");
    case SETTING_INT: return arena_printf(arena, "%lld", (long long)*(const int64_t *)at);
    case SETTING_BOOL: return *(const bool *)at ? STR("on") : STR("off");
    }
    return STR("");
}

/* "?a=b&c" as "?a=***&***". */
static struct str hide_query(struct arena *arena, struct str query)
{
    struct str rest = str_from(query, 1), one, shown = STR("?");
    while (str_split(&rest, '&', &one)) {
        size_t equals = str_find_byte(one, '=');
        shown = arena_printf(arena, "%.*s%s%.*s%s***", STR_ARGS(shown), shown.len > 1 ? "&" : "",
                             STR_ARGS(equals < one.len ? str_head(one, equals) : STR("")),
                             equals < one.len ? "=" : "");
    }
    return shown;
}

struct str setting_hide_secrets(struct arena *arena, struct str url)
{
    size_t scheme = str_find(url, STR("://"));
    if (scheme == url.len) return url;
    scheme += 3;
    struct str rest = str_from(url, scheme), who = STR("");
    /* A program's address: a user alone may be its token, and what is asked for its key. */
    bool web = str_ends(str_head(url, scheme), STR("http://")) ||
               str_ends(str_head(url, scheme), STR("https://"));
    size_t at = rest.len;
    while (at > 0 && rest.at[at - 1] != '@') at--;
    if (at > 0) {
        who = str_head(rest, at - 1);
        rest = str_from(rest, at);
        size_t colon = str_find_byte(who, ':');
        if (colon < who.len) {
            who = arena_printf(arena, "%.*s:***@", STR_ARGS(str_head(who, colon)));
        } else {
            who = web ? STR("***@") : arena_printf(arena, "%.*s@", STR_ARGS(who));
        }
    }
    size_t asked = web ? str_find_byte(rest, '?') : rest.len;
    struct str query =
        asked < rest.len ? hide_query(arena, str_from(rest, asked)) : (struct str){0};
    return arena_printf(arena, "%.*s%.*s%.*s%.*s", STR_ARGS(str_head(url, scheme)), STR_ARGS(who),
                        STR_ARGS(str_head(rest, asked)), STR_ARGS(query));
}

struct str setting_public(struct arena *arena, const struct settings *settings,
                          const struct setting *row)
{
    struct str value = setting_text(arena, settings, row);
    if (row->type != SETTING_TEXT || str_starts(value, STR("sqlite:"))) return value;
    /* A list of addresses; a password in one address alone may hold a comma. */
    if (row->at != AT(llm_sites)) return setting_hide_secrets(arena, value);
    struct str rest = value, one, all = STR("");
    while (str_split(&rest, ',', &one))
        all = arena_printf(arena, "%.*s%s%.*s", STR_ARGS(all), all.len ? "," : "",
                           STR_ARGS(setting_hide_secrets(arena, one)));
    return all;
}

enum setting_origin setting_origin(const struct settings *settings, const struct setting *row)
{
    return (enum setting_origin)settings->origin[row - settings_table];
}
