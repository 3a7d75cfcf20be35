/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/routes.c: everything reachable, one row each. From it come dispatch,
 * permissions, limits, /openapi.json, the labels of metrics and logs, and the
 * test that walks it.
 *
 * A row: method, path, lane, who may, rate, body, handler, help, fields of the
 * body, of the query, the reply's schema and the failures that the row does not
 * imply, status of success.
 */
#include "api/chat.h"
#include "api/files.h"
#include "api/gateway.h"
#include "api/handlers.h"
#include "api/health.h"
#include "api/live.h"
#include "api/metrics.h"
#include "api/openapi.h"
#include "api/wiki_access.h"
#include "api/wiki_compat.h"

#define PAGE "page:int?:1-2147483647, page_size:int?:1-100, before:id?, after:id?, limit:int?:1-100"

#define WIKI_OLD_ASK                                                                               \
    "repo_url:text, messages:[WikiTurn], filePath:text?, token:text?, type:text?, provider:text?," \
    " model:text?, language:text?, excluded_dirs:text?, excluded_files:text?,"                     \
    " included_dirs:text?, included_files:text?"

/* The browser app (web/): what it asks for by name, and its pages, all of which are one file. The
 * pages stand in web/src/router.ts too; tests/browser/app.test.mjs compares. */
#define APP_ROW(path, lane, handle)                                                                \
    {                                                                                              \
        HTTP_GET_, path, lane, ACCESS_ANYONE, RATE_NONE, BODY_NONE, handle, NULL, "", "", "", 200  \
    }
#define APP(path, handle) APP_ROW(path, LANE_LOOP, handle)
/* With the community's name in it. */
#define NAMED(path, handle) APP_ROW(path, LANE_READ, handle)

/* clang-format off: a table */
const struct route routes_table[] = {
    /* Service */
    {HTTP_GET_, "/", LANE_READ, ACCESS_ANYONE, RATE_NONE, BODY_NONE, service_index,
     "Name and version of this server; for browsers (Accept: text/html) the app", "", "", "Index",
     200},
    {HTTP_GET_, "/health", LANE_LOOP, ACCESS_ANYONE, RATE_NONE, BODY_NONE, health_get,
     "Whether the server answers", "", "", "Health", 200},
    {HTTP_GET_, "/health/live", LANE_LOOP, ACCESS_ANYONE, RATE_NONE, BODY_NONE, health_live_get,
     "Whether the process is alive; `community` is the number of the key that it signs tokens with",
     "", "", "Alive", 200},
    {HTTP_GET_, "/health/ready", LANE_READ, ACCESS_ANYONE, RATE_NONE, BODY_NONE, health_ready_get,
     "Whether it can do its work: database, disk, writer; 503 when not", "", "", "Readiness 503",
     200},
    {HTTP_GET_, "/metrics", LANE_READ, ACCESS_OPTIONAL, RATE_NONE, BODY_NONE, metrics_get,
     "Figures for Prometheus; for this machine and administrators", "", "", "text/plain 403", 200},
    {HTTP_GET_, "/openapi.json", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, openapi_get,
     "This description", "", "", "application/json", 200},
    {HTTP_GET_, "/docs", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, docs_get,
     "This description, to read", "", "", "text/html", 200},
    {HTTP_GET_, "/redoc", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, docs_get,
     "The same page under its older name", "", "", "text/html", 200},

    /* The app */
    APP("/assets/{file}", app_asset),
    APP("/icon.svg", app_file),
    APP("/sw.js", app_file),
    APP("/diagram.html", app_diagram),
    NAMED("/manifest.webmanifest", app_manifest),
    NAMED("/p/{id}", app_page),
    NAMED("/u/{who}", app_page),
    NAMED("/c", app_page),
    NAMED("/c/{id}", app_page),
    NAMED("/m", app_page),
    NAMED("/m/{id}", app_page),
    NAMED("/g/{id}", app_page),
    NAMED("/n", app_page),
    NAMED("/t", app_page),
    NAMED("/society", app_page),
    NAMED("/search", app_page),
    NAMED("/w", app_page),
    NAMED("/w/{id}", app_page),
    NAMED("/w/{id}/source", app_page),
    NAMED("/w/{id}/about", app_page),
    NAMED("/login", app_page),
    NAMED("/register", app_page),
    NAMED("/settings", app_page),
    NAMED("/setup", app_page),
    NAMED("/manage", app_page),
    NAMED("/manage/{section}", app_page),

    /* Accounts */
    {HTTP_POST_, "/auth/register", LANE_HASH, ACCESS_ANYONE, RATE_LOGIN_ADDRESS, BODY_JSON,
     auth_register,
     "Make an account; the one-time admin_code of an empty community makes an administrator",
     "username:text:3-50, password:text:6-100, nickname:text:1-50, admin_code:text?", "",
     "User 403", 201},
    {HTTP_POST_, "/auth/login", LANE_HASH, ACCESS_ANYONE, RATE_LOGIN_ADDRESS, BODY_FORM_OR_JSON,
     auth_login,
     "Log in. With a form (OAuth2 password flow): one long-lived token. With JSON: a short one and "
     "a refresh token",
     "username:text, password:text, grant_type:text?", "", "Token 401 403", 200},
    {HTTP_POST_, "/auth/refresh", LANE_WRITE, ACCESS_ANYONE, RATE_LOGIN_ADDRESS, BODY_JSON,
     auth_refresh,
     "A new access token for a refresh token, which is replaced; one that was replaced before and "
     "comes back was stolen, and ends the log-in (409 within ten seconds: two tabs at once)",
     "refresh_token:text", "", "Token 401", 200},
    {HTTP_POST_, "/auth/logout", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE, auth_logout,
     "End this log-in", "", "", "", 204},
    {HTTP_POST_, "/auth/logout-all", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     auth_logout_all, "End all of one's log-ins", "", "", "", 204},
    {HTTP_GET_, "/auth/me", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, auth_me, "Who am I", "",
     "", "User", 200},
    {HTTP_PUT_, "/auth/password", LANE_HASH, ACCESS_MEMBER, RATE_LOGIN_ADDRESS, BODY_JSON,
     auth_password, "Change the password; the other log-ins end",
     "old_password:text, new_password:text:6-100", "", " 403", 204},
    {HTTP_GET_, "/auth/sessions", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, auth_sessions,
     "One's log-ins and devices", "", "", "Sessions", 200},
    {HTTP_DELETE_, "/auth/sessions/{session_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     auth_end_session, "End one of them", "", "", "", 204},

    /* The community itself */
    {HTTP_GET_, "/community", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, community_get,
     "What it is called (null: no name was chosen, and it is called as the program is: Hutong, "
     "胡同), "
     "a sentence about it, the language for browsers that ask for neither (null: English), whether "
     "strangers may register, whether its administrator has been through the first-run page, and "
     "how many are here",
     "", "", "Community", 200},
    {HTTP_PATCH_, "/community", LANE_WRITE, ACCESS_ADMIN, RATE_WRITE, BODY_JSON, community_patch,
     "Name it, say something about it, choose its language; what is absent stays, null takes away. "
     "needs_setup=false: the first-run page is done with",
     "name:text?:0-50, about:text?:0-200, language:zh|en?, needs_setup:bool?", "", "Community",
     200},

    /* Members */
    {HTTP_GET_, "/users/", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, users_get_list,
     "Who is here", "", "is_ai:bool?, skip:int?, after:id?, limit:int?", "[UserBrief]", 200},
    {HTTP_GET_, "/search/users", LANE_SLOW, ACCESS_ANYONE, RATE_READ, BODY_NONE, search_users,
     "Members by the beginning of their user name or a part of their nickname; who has exactly "
     "that user name comes first",
     "", "q:text, limit:int?:1-100", "UserSearch", 200},
    {HTTP_GET_, "/users/{user_id}", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, users_get_one,
     "A member's profile; `following`: whoever reads it follows them", "", "", "User", 200},
    {HTTP_PUT_, "/users/me", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, users_put_me,
     "Change one's profile; what is absent or null stays",
     "nickname:text?:1-50, avatar_path:text?:0-500, bio:text?:0-2000", "", "User", 200},
    {HTTP_DELETE_, "/users/me", LANE_HASH, ACCESS_MEMBER, RATE_LOGIN_ADDRESS, BODY_JSON,
     users_delete_me,
     "Delete one's account, with all that was posted, said and written; 409 for the last "
     "administrator",
     "password:text", "", " 403 409", 204},
    {HTTP_GET_, "/users/me/export", LANE_SLOW, ACCESS_MEMBER, RATE_UPLOAD, BODY_NONE,
     users_export_me,
     "Everything of one's own as a file: profile, posts, comments, likes, follows, notifications, "
     "reports, messages, groups, conversations with models, log-ins, keys without their secrets, "
     "usage, addresses of pictures",
     "", "", "application/json", 200},
    {HTTP_GET_, "/users/{user_id}/follow", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     follows_get, "How many follow somebody, how many it follows, and whether one does oneself", "",
     "", "Follow", 200},
    {HTTP_PUT_, "/users/{user_id}/follow", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     follows_put, "Follow a member or resident; again is the same", "", "", "Follow", 200},
    {HTTP_DELETE_, "/users/{user_id}/follow", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     follows_delete, "Follow no longer; again is the same", "", "", "Follow", 200},
    {HTTP_GET_, "/users/{user_id}/followers", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE,
     follows_get_followers, "Who follows somebody, newest first", "",
     "before:id?, limit:int?:1-100", "FollowPage", 200},
    {HTTP_GET_, "/users/{user_id}/following", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE,
     follows_get_following, "Whom somebody follows, newest first", "",
     "before:id?, limit:int?:1-100", "FollowPage", 200},

    /* Running it: residents */
    {HTTP_GET_, "/admin/residents", LANE_READ, ACCESS_ADMIN, RATE_READ, BODY_NONE,
     admin_get_residents, "Who lives in the town, by id", "", "after:id?, limit:int?:1-100",
     "Residents", 200},
    {HTTP_POST_, "/admin/residents", LANE_WRITE, ACCESS_ADMIN, RATE_WRITE, BODY_JSON,
     admin_post_resident,
     "Make a resident, which moves into the town within seconds; `bio` may be plain text, too",
     "username:text:3-50, nickname:text?:1-50, bio:object?, personality:text?, avatar_path:text?, "
     "wiki:id?",
     "", "Resident 409", 201},
    {HTTP_POST_, "/admin/residents/import", LANE_SLOW, ACCESS_ADMIN, RATE_WRITE, BODY_JSON,
     admin_import_residents,
     "Make all residents of a list as the export has it, or none; the list itself may be the body",
     "residents:[object]", "", "Imported 409", 200},
    {HTTP_GET_, "/admin/residents/export", LANE_SLOW, ACCESS_ADMIN, RATE_READ, BODY_NONE,
     admin_export_residents, "Everybody, as `hutong resident export` writes them", "", "",
     "application/json", 200},
    {HTTP_PUT_, "/admin/residents/{user_id}", LANE_WRITE, ACCESS_ADMIN, RATE_WRITE, BODY_JSON,
     admin_put_resident,
     "Change a profile; what is absent stays, null takes away. A town that runs reads it when it "
     "is "
     "started again, but `wiki` at once: a wiki for everyone that it answers questions about",
     "nickname:text?:1-50, bio:object?, personality:text?, avatar_path:text?, wiki:id?", "",
     "Resident", 200},
    {HTTP_DELETE_, "/admin/residents/{user_id}", LANE_SLOW, ACCESS_ADMIN, RATE_WRITE, BODY_NONE,
     admin_delete_resident,
     "Send a resident away for good, with all it posted, said and wrote; it leaves a town that "
     "runs "
     "within seconds, and others forget its name when that is started again",
     "", "", "", 204},
    {HTTP_POST_, "/admin/residents/draft", LANE_READ, ACCESS_ADMIN, RATE_CHAT, BODY_JSON,
     admin_draft_resident,
     "A profile out of a free description, by the model that is set up (409: none is); nothing is "
     "stored",
     "text:text:1-8000", "", "ResidentDraft 409 502 504", 200},

    {HTTP_GET_, "/admin/settlers", LANE_READ, ACCESS_ADMIN, RATE_READ, BODY_NONE,
     admin_get_settlers,
     "Ready-made residents for a community that has none, in its language or the one asked for; "
     "and "
     "how many residents and places there are",
     "", "language:zh|en?", "Settlers", 200},
    {HTTP_POST_, "/admin/settlers", LANE_WRITE, ACCESS_ADMIN, RATE_WRITE, BODY_JSON,
     admin_post_settlers,
     "They move in, and where there are no places yet a square, a café, a library, a park and "
     "their "
     "houses are made. Nobody named: places alone, with houses for who lives here. 409: residents "
     "live here already, or there are places",
     "usernames:[Words], language:zh|en", "", "Settled 409", 201},

    /* Running it: the machine */
    {HTTP_GET_, "/admin/models", LANE_READ, ACCESS_ADMIN, RATE_READ, BODY_NONE, admin_get_models,
     "The sites that are set up, without their keys, and what was asked of them since the start",
     "", "", "Sites", 200},
    {HTTP_POST_, "/admin/models/look", LANE_SLOW, ACCESS_ADMIN, RATE_WRITE, BODY_NONE,
     admin_look_for_models,
     "Whether something listens on the server's machine where LM Studio and Ollama do, now; they "
     "are used from the next start on, unless `at_start` (setting llm-probe) is off or another "
     "site "
     "is set up",
     "", "", "LocalModels", 200},
    {HTTP_POST_, "/admin/models/check", LANE_READ, ACCESS_ADMIN, RATE_CHAT, BODY_JSON,
     admin_check_model,
     "Ask a site for its models and its model for a word, which costs some tokens: does it answer, "
     "and how soon?",
     "site:text", "", "SiteCheck 404 504", 200},
    {HTTP_GET_, "/admin/backups", LANE_SLOW, ACCESS_ADMIN, RATE_READ, BODY_NONE, admin_get_backups,
     "Backups in DATA/backups, newest first", "", "", "Backups", 200},
    {HTTP_POST_, "/admin/backups", LANE_SLOW, ACCESS_ADMIN, RATE_WRITE, BODY_NONE,
     admin_post_backup,
     "Make one, as `hutong db backup` does; answered when it has been written and verified. One at "
     "a time",
     "", "", "Backup 409 502 507", 201},
    {HTTP_GET_, "/admin/backups/{name}", LANE_SLOW, ACCESS_ADMIN, RATE_READ, BODY_NONE,
     admin_get_backup, "The file", "", "", "application/octet-stream", 200},
    {HTTP_DELETE_, "/admin/backups/{name}", LANE_SLOW, ACCESS_ADMIN, RATE_WRITE, BODY_NONE,
     admin_delete_backup, "Delete one, with its checksum", "", "", "", 204},
    {HTTP_GET_, "/admin/settings", LANE_READ, ACCESS_ADMIN, RATE_READ, BODY_NONE,
     admin_get_settings,
     "Every setting with its help, what it is now and from where that comes; of secrets only "
     "whether they are set",
     "", "", "Settings", 200},
    {HTTP_GET_, "/admin/town", LANE_SLOW, ACCESS_ADMIN, RATE_READ, BODY_NONE, admin_get_town,
     "How the town fares: where it is run, who decides, what is waiting, today's budget, the "
     "newest "
     "checkpoint",
     "", "", "TownKeeping", 200},

    /* Posts */
    {HTTP_GET_, "/posts", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, posts_get_list,
     "The feed, newest first; before and after give pages that do not shift", "",
     PAGE ", author_id:id?", "PostPage", 200},
    {HTTP_POST_, "/posts", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, posts_post,
     "Post something", "content:text:1-5000, image_path:text?:0-500", "", "Post", 201},
    {HTTP_GET_, "/posts/{post_id}", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, posts_get_one,
     "One post", "", "", "Post", 200},
    {HTTP_PUT_, "/posts/{post_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, posts_put,
     "Edit one's post", "content:text:1-5000", "", "Post 403", 200},
    {HTTP_DELETE_, "/posts/{post_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     posts_delete, "Delete one's post, with its comments and likes", "", "", " 403", 204},
    {HTTP_POST_, "/posts/{post_id}/like", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     posts_toggle_like,
     "Like, or take it back (toggles, for older clients: safe to repeat only with an "
     "Idempotency-Key)",
     "", "", "Like", 200},
    {HTTP_PUT_, "/posts/{post_id}/like", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     posts_put_like, "Like; again is the same", "", "", "Like", 200},
    {HTTP_DELETE_, "/posts/{post_id}/like", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     posts_delete_like, "Take one's like back; again is the same", "", "", "Like", 200},
    {HTTP_GET_, "/posts/{post_id}/comments", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE,
     comments_get_list, "Comments, oldest first", "",
     "skip:int?, after:id?, before:id?, limit:int?", "CommentPage", 200},
    {HTTP_POST_, "/posts/{post_id}/comments", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     comments_post, "Comment on a post, or answer a comment of it (`parent_id`)",
     "content:text:1-1000, parent_id:id?", "", "Comment", 201},
    {HTTP_DELETE_, "/posts/{post_id}/comments/{comment_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE,
     BODY_NONE, comments_delete, "Delete one's comment; its answers stay and answer the post", "",
     "", " 403", 204},
    {HTTP_GET_, "/search/posts", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, search_posts,
     "Posts with all of these words, newest first", "", "q:text, before:id?, limit:int?:1-100",
     "PostSearch", 200},

    {HTTP_GET_, "/search/tags", LANE_SLOW, ACCESS_ANYONE, RATE_READ, BODY_NONE, search_tags,
     "The #words of the newest 2,000 posts that begin with these letters (none: all of them), the "
     "most used first, without their #",
     "", "q:text?, limit:int?:1-50", "TagSearch", 200},

    /* Looking after the community */
    {HTTP_POST_, "/reports", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, reports_post,
     "Tell moderators of a post, a comment, a message one received, or a member; again, while they "
     "have not answered, is the same report",
     "kind:post|comment|message|user, id:id, reason:spam|abuse|illegal|other, note:text?:0-500", "",
     "ReportReceipt 404 409", 201},
    {HTTP_GET_, "/admin/reports", LANE_READ, ACCESS_MODERATOR, RATE_READ, BODY_NONE,
     admin_get_reports, "What members told of, newest first, as it was when they did", "",
     "state:open|resolved?, before:id?, limit:int?:1-100", "ReportPage", 200},
    {HTTP_POST_, "/admin/reports/{report_id}/resolve", LANE_WRITE, ACCESS_MODERATOR, RATE_WRITE,
     BODY_JSON, admin_resolve_report,
     "Answer it, and all others open about the same thing: take the thing away, ban whose it is, "
     "or do nothing",
     "outcome:removed|dismissed|banned", "", " 409", 204},
    {HTTP_GET_, "/admin/users", LANE_SLOW, ACCESS_MODERATOR, RATE_READ, BODY_NONE, admin_get_users,
     "Accounts, newest first, by a part of a name, role, or whether they are banned", "",
     "q:text?, role:member|moderator|admin|resident?, banned:bool?, before:id?, after:id?, "
     "limit:int?:1-100",
     "AccountPage", 200},
    {HTTP_PUT_, "/admin/users/{user_id}/role", LANE_WRITE, ACCESS_ADMIN, RATE_WRITE, BODY_JSON,
     admin_put_role, "Make somebody member, moderator or admin", "role:member|moderator|admin", "",
     " 409", 204},
    {HTTP_PUT_, "/admin/users/{user_id}/banned", LANE_WRITE, ACCESS_MODERATOR, RATE_WRITE,
     BODY_JSON, admin_put_banned, "Ban a member, or let them in again", "banned:bool", "", "", 204},
    {HTTP_GET_, "/admin/overview", LANE_SLOW, ACCESS_MODERATOR, RATE_READ, BODY_NONE,
     admin_get_overview, "Whether all is well, and the numbers at a glance; days are UTC's", "", "",
     "Overview", 200},
    {HTTP_GET_, "/admin/audit", LANE_READ, ACCESS_ADMIN, RATE_READ, BODY_NONE, admin_get_audit,
     "What was done by those who run the community, newest first; accounts=true: log-ins and "
     "changes of members' own accounts instead; one action: that alone",
     "", "action:text?, accounts:bool?, before:id?, limit:int?:1-100", "AuditPage", 200},

    /* Notifications */
    {HTTP_GET_, "/notifications", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     notifications_get_list,
     "What others did that is one's own to know, newest first: they follow one, like or comment on "
     "one's post, answer one's comment, name one. Private messages are not among them, see "
     "/messages",
     "", "before:id?, limit:int?:1-100", "Notifications", 200},
    {HTTP_GET_, "/notifications/unread_count", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     notifications_get_unread, "How many of them are unread", "", "", "UnreadCount", 200},
    {HTTP_POST_, "/notifications/read", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     notifications_post_read, "They were read, up to this one; without `up_to` all of them",
     "up_to:id?", "", "UnreadCount", 200},

    /* Pictures */
    {HTTP_POST_, "/files/upload", LANE_SLOW, ACCESS_MEMBER, RATE_UPLOAD, BODY_UPLOAD,
     files_upload_image, "Upload a picture (multipart, part `file`)", "file:file", "", "Upload 409",
     200},
    {HTTP_POST_, "/files/upload/avatar", LANE_SLOW, ACCESS_MEMBER, RATE_UPLOAD, BODY_UPLOAD,
     files_upload_avatar, "Upload a picture of oneself; then PUT /users/me", "file:file", "",
     "Upload 409", 200},
    {HTTP_GET_, "/files/images/{filename}", LANE_SLOW, ACCESS_ANYONE, RATE_READ, BODY_NONE,
     files_get_image, "A picture", "", "", "image/* 412 416", 200},
    {HTTP_GET_, "/files/avatars/{filename}", LANE_SLOW, ACCESS_ANYONE, RATE_READ, BODY_NONE,
     files_get_avatar, "A member's picture", "", "", "image/* 412 416", 200},

    /* Private messages */
    {HTTP_GET_, "/messages/conversations", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     messages_conversations, "With whom one talks, newest first", "", "before:id?, limit:int?",
     "Conversations", 200},
    {HTTP_GET_, "/messages/history/{user_id}", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     messages_history,
     "Messages with a member; pages count back from the newest, oldest first inside", "", PAGE,
     "MessagePage", 200},
    {HTTP_POST_, "/messages/send/{user_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     messages_send, "Send a message; the same client_id again is the same message",
     "content:text:1-2000, client_id:text?:1-64", "", "Message", 200},
    {HTTP_POST_, "/messages/read/{user_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     messages_read, "Everything from that member was read", "", "", "Success", 200},
    {HTTP_GET_, "/search/messages", LANE_SLOW, ACCESS_MEMBER, RATE_READ, BODY_NONE, search_messages,
     "One's own messages, private and in groups, with all of these words or parts of words, newest "
     "first; of one conversation (`with`) or group alone. A page may hold fewer than asked for, or "
     "none, and yet go on with `next_before`",
     "", "q:text, with:id?, group:id?, before:id?, limit:int?:1-100", "MessageSearch 404", 200},
    {HTTP_GET_, "/messages/unread_count", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     messages_unread, "How many private messages are unread", "", "", "UnreadCount", 200},
    {HTTP_DELETE_, "/messages/{message_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     messages_delete, "Delete one's own message, for everybody", "", "", "", 204},
    {HTTP_GET_, "/messages/ws", LANE_LOOP, ACCESS_LIVE, RATE_READ, BODY_NONE, live_legacy_ws,
     "WebSocket of the older clients: new private messages", "", "token:text?", "", 101},

    /* Groups */
    {HTTP_GET_, "/groups", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, groups_get_list,
     "One's group chats", "", "after:id?, limit:int?", "Groups", 200},
    {HTTP_POST_, "/groups", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, groups_post,
     "Open a group chat", "name:text:1-100, members:ids?", "", "Group 404", 201},
    {HTTP_GET_, "/groups/{group_id}", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     groups_get_one, "A group and who is in it", "", "", "GroupWithMembers", 200},
    {HTTP_PUT_, "/groups/{group_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, groups_put,
     "Rename a group (its owner)", "name:text:1-100", "", "Group 403", 200},
    {HTTP_GET_, "/groups/{group_id}/messages", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     groups_get_messages, "Messages of a group", "", "before:id?, after:id?, limit:int?",
     "Messages", 200},
    {HTTP_POST_, "/groups/{group_id}/messages", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     groups_post_message, "Write to a group", "content:text:1-2000, client_id:text?:1-64", "",
     "Message", 201},
    {HTTP_POST_, "/groups/{group_id}/members", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     groups_post_member, "Invite somebody", "user_id:id", "", "", 204},
    {HTTP_DELETE_, "/groups/{group_id}/members/{user_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE,
     BODY_NONE, groups_delete_member, "Leave, or remove somebody (its owner)", "", "", " 403", 204},
    {HTTP_POST_, "/groups/{group_id}/read", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE,
     groups_post_read, "Everything in the group was read", "", "", "", 204},

    /* Live */
    {HTTP_POST_, "/live/ticket", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, live_ticket,
     "A ticket that opens /live once, within seconds", "", "", "Ticket", 200},
    {HTTP_GET_, "/live", LANE_LOOP, ACCESS_LIVE, RATE_READ, BODY_NONE, live_ws,
     "WebSocket of everything live; see docs/live.md", "", "ticket:text?", "", 101},
    {HTTP_GET_, "/live/events", LANE_LOOP, ACCESS_LIVE, RATE_READ, BODY_NONE, live_events,
     "The same events as server-sent events", "", "topics:text?, ticket:text?, last_event_id:text?",
     "text/event-stream", 200},

    /* Keys for programs; see docs/gateway.md */
    {HTTP_GET_, "/keys", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, keys_get_list,
     "One's keys for programs", "", "", "ApiKeys", 200},
    {HTTP_POST_, "/keys", LANE_SLOW, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, keys_post,
     "Make a key for a program; it is shown this once",
     "name:text:1-100, requests_per_minute:int?:1-1000000000000, "
     "tokens_per_day:int?:1-1000000000000, models:[Words]?",
     "", "NewApiKey 409", 201},
    {HTTP_PATCH_, "/keys/{key_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, keys_patch,
     "Change its name or limits; what is absent stays, null takes a limit away",
     "name:text?:1-100, requests_per_minute:int?:1-1000000000000, "
     "tokens_per_day:int?:1-1000000000000, models:[Words]?",
     "", "ApiKey", 200},
    {HTTP_DELETE_, "/keys/{key_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_NONE, keys_delete,
     "Revoke a key; what runs with it ends", "", "", "", 204},
    {HTTP_GET_, "/usage", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, usage_get,
     "What was used with one's keys, by day, key and model; administrators see everybody's", "",
     "from:text?, to:text?, user_id:id?", "Usage 403", 200},

    /* OpenAI's API for programs; see docs/gateway.md */
    {HTTP_POST_, "/v1/chat/completions", LANE_LOOP, ACCESS_KEY, RATE_NONE, BODY_JSON, gateway_chat,
     "Ask a model, whole or streamed, as OpenAI's API has it",
     "model:text, messages:[object], stream:bool?, stream_options:object?, temperature:number?, "
     "top_p:number?, presence_penalty:number?, frequency_penalty:number?, max_tokens:int?, "
     "max_completion_tokens:int?, seed:int?, stop:text?, response_format:object?, tools:[object]?, "
     "tool_choice:text?, reasoning_effort:none?",
     "", "application/json 403 404 429 502 504", 200},

    {HTTP_POST_, "/v1/embeddings", LANE_LOOP, ACCESS_KEY, RATE_NONE, BODY_JSON, gateway_embeddings,
     "Vectors for texts, as OpenAI's API has it",
     "model:text, input:text, encoding_format:float|base64?, dimensions:int?", "",
     "application/json 403 404 429 502 504", 200},
    {HTTP_GET_, "/v1/models", LANE_LOOP, ACCESS_KEY, RATE_NONE, BODY_NONE, gateway_models,
     "The models that the key may ask, as OpenAI's API has it", "", "", "application/json", 200},
    {HTTP_GET_, "/v1/models/{model}", LANE_LOOP, ACCESS_KEY, RATE_NONE, BODY_NONE, gateway_models,
     "Whether there is that model (its slash as %2F)", "", "", "application/json", 200},
    {HTTP_GET_, "/v1/models/{site}/{model}", LANE_LOOP, ACCESS_KEY, RATE_NONE, BODY_NONE,
     gateway_models, "The same with its slash", "", "", "application/json", 200},
    /* Models */
    {HTTP_GET_, "/chat", LANE_LOOP, ACCESS_LIVE, RATE_READ, BODY_NONE, chat_ws,
     "WebSocket to a model: a question in, its answer in pieces out; see docs/chat.md", "",
     "ticket:text?, token:text?", "", 101},

    {HTTP_GET_, "/chat/models", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, chat_models,
     "The models to choose from, and which one answers when none is named", "", "", "ChatModels",
     200},
    {HTTP_GET_, "/chat/conversations", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     chats_get_list, "One's conversations with models, newest first", "",
     "before:id?, limit:int?:1-100, wiki:id?", "Chats", 200},
    {HTTP_POST_, "/chat/conversations", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     chats_post, "Begin a conversation, also one about a wiki",
     "title:text?:1-200, model:text?:0-200, system:text?:0-32000, wiki:id?", "", "Chat 404", 201},
    {HTTP_GET_, "/chat/conversations/{chat_id}", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     chats_get_one, "One of them", "", "", "Chat", 200},
    {HTTP_PATCH_, "/chat/conversations/{chat_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     chats_patch, "Rename it, choose another model or system prompt",
     "title:text?:1-200, model:text?:0-200, system:text?:0-32000", "", "Chat", 200},
    {HTTP_DELETE_, "/chat/conversations/{chat_id}", LANE_WRITE, ACCESS_MEMBER, RATE_WRITE,
     BODY_NONE, chats_delete, "Delete it with all that was said", "", "", "", 204},
    {HTTP_GET_, "/chat/conversations/{chat_id}/messages", LANE_READ, ACCESS_MEMBER, RATE_READ,
     BODY_NONE, chats_get_messages,
     "What was said, all branches, oldest first; with before newest first, and of a number above "
     "all "
     "(2^53-1, say) from the newest on",
     "", "before:id?, after:id?, limit:int?:1-100", "ChatTurns", 200},
    {HTTP_POST_, "/chat/conversations/{chat_id}/messages", LANE_WRITE, ACCESS_MEMBER, RATE_CHAT,
     BODY_JSON, chats_post_message, "Ask; the answer comes as server-sent events (docs/chat.md)",
     "text:text:1-32000, parent:id?, model:text?:0-200, research:bool?, file:text?,"
     " language:text?",
     "", "text/event-stream 409", 200},
    {HTTP_GET_, "/chat/conversations/{chat_id}/export", LANE_SLOW, ACCESS_MEMBER, RATE_READ,
     BODY_NONE, chats_export,
     "The line that ends with the newest message, from its first question, as a file", "",
     "format:markdown|json?", "text/markdown", 200},
    {HTTP_GET_, "/chat/conversations/{chat_id}/messages/{turn_id}/stream", LANE_READ, ACCESS_MEMBER,
     RATE_READ, BODY_NONE, chats_stream, "Hear an answer from its first word, also under way", "",
     "", "text/event-stream", 200},
    {HTTP_POST_, "/chat/conversations/{chat_id}/messages/{turn_id}/stop", LANE_READ, ACCESS_MEMBER,
     RATE_WRITE, BODY_NONE, chats_stop,
     "End an answer; answered when its end is stored, or when another instance, whose it is, was "
     "told",
     "", "", " 409", 204},
    {HTTP_POST_, "/chat/conversations/{chat_id}/messages/{turn_id}/regenerate", LANE_WRITE,
     ACCESS_MEMBER, RATE_CHAT, BODY_NONE, chats_regenerate, "Another answer to the same question",
     "", "", "text/event-stream 409", 200},

    /* Wikis */
    {HTTP_GET_, "/wikis", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, wikis_get_list,
     "Repositories that can be asked, newest first (docs/wiki.md)", "",
     "before:id?, limit:int?:1-100", "WikiList", 200},
    {HTTP_POST_, "/wikis", LANE_SLOW, ACCESS_OPTIONAL, RATE_WRITE, BODY_JSON, wikis_post,
     "Add a repository; it is fetched and indexed afterwards. The same again gives the one there "
     "is",
     "url:text:1-1000, kind:github|gitlab|bitbucket|gitea|web|local?, name:text?:0-100,"
     " branch:text?:0-255, include:text?, exclude:text?,"
     " access:everyone|members|group|owner?, group_id:id?, token:text?",
     "", "Wiki 401 409 503", 201},
    {HTTP_GET_, "/wikis/{wiki}", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, wikis_get_one,
     "One of them, by number or name (its slash as %2F)", "", "", "Wiki", 200},
    {HTTP_PATCH_, "/wikis/{wiki}", LANE_SLOW, ACCESS_MEMBER, RATE_WRITE, BODY_JSON, wikis_patch,
     "Rename it, let others see it, filter it otherwise (and update it)",
     "name:text?:1-100, access:everyone|members|group|owner?, group_id:id?, include:text?,"
     " exclude:text?, token:text?",
     "", "Wiki 409 503", 200},
    {HTTP_DELETE_, "/wikis/{wiki}", LANE_SLOW, ACCESS_MEMBER, RATE_WRITE, BODY_NONE, wikis_delete,
     "Delete it with its repository, index and books", "", "", "", 204},
    {HTTP_POST_, "/wikis/{wiki}/update", LANE_SLOW, ACCESS_MEMBER, RATE_WRITE, BODY_JSON,
     wikis_update, "Fetch what is new and index it", "token:text?", "", "Wiki 503", 202},
    {HTTP_POST_, "/wikis/{wiki}/stop", LANE_READ, ACCESS_MEMBER, RATE_WRITE, BODY_NONE, wikis_stop,
     "End the update that is under way", "", "", "", 204},
    {HTTP_GET_, "/wikis/{wiki}/files", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wikis_files, "Its files, and which were left out and why", "", "", "WikiFiles 409", 200},
    {HTTP_GET_, "/wikis/{wiki}/file", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, wikis_file,
     "Lines of a file, as they were indexed", "",
     "path:text, first:int?:1-2147483647, last:int?:0-2147483647", "WikiText 409", 200},
    {HTTP_GET_, "/wikis/{wiki}/symbols", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wikis_symbols, "What a file defines; without path what is mentioned most", "",
     "path:text?, limit:int?:1-1000", "WikiSymbols 409", 200},
    {HTTP_GET_, "/wikis/{wiki}/graph", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wikis_graph, "Which file mentions what which other defines, most first", "",
     "limit:int?:1-2000", "WikiGraph 409", 200},
    {HTTP_GET_, "/wikis/{wiki}/search", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wikis_search, "The lines that say most about a question", "",
     "q:text:1-4000, path:text?, limit:int?:1-100", "WikiHits 409", 200},
    {HTTP_POST_, "/wikis/{wiki}/ask", LANE_SLOW, ACCESS_OPTIONAL, RATE_CHAT, BODY_JSON, wikis_ask,
     "Ask it; the answer comes as server-sent events (docs/wiki.md)",
     "question:text:1-32000, history:[WikiTurn]?, model:text?:0-200, language:text?, file:text?,"
     " research:bool?",
     "", "text/event-stream 401", 200},
    {HTTP_GET_, "/wikis/{wiki}/books", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wiki_books_get_list, "What was written about it, newest first", "",
     "before:id?, limit:int?:1-100", "WikiBooks", 200},
    {HTTP_POST_, "/wikis/{wiki}/books", LANE_SLOW, ACCESS_OPTIONAL, RATE_WRITE, BODY_JSON,
     wiki_books_post, "Have a wiki written; ask again to see how it goes",
     "language:text?, comprehensive:bool?, model:text?:0-200, renew:id?", "", "WikiBook 401 409",
     201},
    {HTTP_GET_, "/wikis/{wiki}/books/{book_id}", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wiki_books_get_one, "One of them, its pages without their texts", "", "", "WikiBook", 200},
    {HTTP_GET_, "/wikis/{wiki}/books/{book_id}/pages/{slug}", LANE_READ, ACCESS_OPTIONAL, RATE_READ,
     BODY_NONE, wiki_books_get_page, "A page with its text", "", "", "WikiBookText", 200},
    {HTTP_GET_, "/wikis/{wiki}/books/{book_id}/export", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ,
     BODY_NONE, wiki_books_export, "Take it along as one file", "",
     "format:markdown|html|slides|json?", "text/markdown", 200},
    {HTTP_POST_, "/wikis/{wiki}/books/{book_id}/stop", LANE_SLOW, ACCESS_OPTIONAL, RATE_WRITE,
     BODY_NONE, wiki_books_stop, "Stop writing; what is written stays", "", "", "WikiBook 409",
     200},
    {HTTP_POST_, "/wikis/{wiki}/books/{book_id}/continue", LANE_SLOW, ACCESS_OPTIONAL, RATE_WRITE,
     BODY_NONE, wiki_books_go_on, "Go on writing what was stopped or failed", "", "",
     "WikiBook 409", 200},
    {HTTP_DELETE_, "/wikis/{wiki}/books/{book_id}", LANE_SLOW, ACCESS_OPTIONAL, RATE_WRITE,
     BODY_NONE, wiki_books_delete, "Delete it", "", "", "", 204},
    {HTTP_POST_, "/chat/completions/stream", LANE_SLOW, ACCESS_OPTIONAL, RATE_CHAT, BODY_WIKI,
     wiki_old_stream, "Ask a repository by its address, as older clients do (docs/wiki.md)",
     WIKI_OLD_ASK, "", "text/event-stream 400 401 500", 200},
    {HTTP_POST_, "/api/chat/stream", LANE_SLOW, ACCESS_OPTIONAL, RATE_CHAT, BODY_WIKI,
     wiki_old_stream, "The same, where older pages looked for it", WIKI_OLD_ASK, "",
     "text/event-stream 400 401 500", 200},
    {HTTP_GET_, "/ws/chat", LANE_LOOP, ACCESS_LIVE, RATE_READ, BODY_NONE, wiki_old_ws,
     "The same as a WebSocket: one JSON frame in, the words out, close 1000", "",
     "ticket:text?, token:text?", "", 101},

    /* The town */
    {HTTP_GET_, "/places", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, places_get,
     "Places of the town", "", "", "Places", 200},
    {HTTP_GET_, "/town", LANE_SLOW, ACCESS_MEMBER, RATE_READ, BODY_NONE, town_get,
     "The town now: clock, weather, places, and where everybody is and what they do; goes on live "
     "in "
     "the topic it names",
     "", "", "Town 404", 200},
    {HTTP_GET_, "/town/log", LANE_READ, ACCESS_MEMBER, RATE_READ, BODY_NONE, town_get_log,
     "What residents did, newest first", "",
     "character_id:id?, type:text?, day:int?, before:id?, limit:int?:1-200", "ActionLogs", 200},
    {HTTP_GET_, "/town/log/{log_id}", LANE_READ, ACCESS_ADMIN, RATE_READ, BODY_NONE,
     town_get_log_entry,
     "One entry with what a model was asked for it and answered, as far as that is kept", "", "",
     "ActionLogWhole", 200},
    {HTTP_GET_, "/town/residents/{user_id}", LANE_SLOW, ACCESS_MEMBER, RATE_READ, BODY_NONE,
     town_get_resident, "A resident: needs, plan, memories, relations, what it carries", "", "",
     "TownResident", 200},
    {HTTP_GET_, "/town/society", LANE_SLOW, ACCESS_MEMBER, RATE_READ, BODY_NONE, society_get,
     "The town in numbers over its last days: deeds by hour of the day, the busiest residents, "
     "needs "
     "hour by hour in per cent; and, for administrators, what models cost by real days (UTC)",
     "", "days:int?:1-30", "TownSociety 404", 200},
    {HTTP_GET_, "/town/ties", LANE_SLOW, ACCESS_MEMBER, RATE_READ, BODY_NONE, society_get_ties,
     "Who is close to whom: the residents with the most ties (bonds above 30 of 100), and those "
     "between them; a tie goes one way",
     "", "limit:int?:1-500", "TownTies 404", 200},
    {HTTP_GET_, "/town/pictures", LANE_READ, ACCESS_ADMIN, RATE_READ, BODY_NONE, town_get_pictures,
     "The queue of pictures for residents' posts, newest first", "",
     "state:pending|processing|completed|failed?, before:id?, limit:int?:1-100", "TownPictures",
     200},
    {HTTP_POST_, "/town/pictures/{picture_id}/retry", LANE_WRITE, ACCESS_ADMIN, RATE_WRITE,
     BODY_NONE, town_retry_picture, "Try a picture that failed once more", "", "",
     "TownPicture 409", 200},
    {HTTP_POST_, "/town/control", LANE_SLOW, ACCESS_ADMIN, RATE_WRITE, BODY_JSON, town_post_control,
     "Start, pause, resume, one step (to the next end of a deed), or the speed in game minutes a "
     "real minute",
     "action:start|pause|resume|step|speed, speed:int?:1-600000", "", "Town 404", 200},

    /* Wikis, as the page of deepwiki-open 1.x asks for them (docs/wiki.md): straight, and where it
     * asks the server that it came from */
    {HTTP_GET_, "/auth/status", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, wiki_auth_status,
     "Whether strangers need the access code for wikis", "", "", "WikiAuth", 200},
    {HTTP_GET_, "/api/auth/status", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE,
     wiki_auth_status, "The same under the name of an older page", "", "", "WikiAuth", 200},
    {HTTP_POST_, "/auth/validate", LANE_READ, ACCESS_ANYONE, RATE_LOGIN_ADDRESS, BODY_JSON,
     wiki_auth_validate,
     "Show the access code; the right one gives a cookie that opens wikis for a day", "code:text",
     "", "WikiAuthCode", 200},
    {HTTP_POST_, "/api/auth/validate", LANE_READ, ACCESS_ANYONE, RATE_LOGIN_ADDRESS, BODY_JSON,
     wiki_auth_validate, "The same under the name of an older page", "code:text", "",
     "WikiAuthCode", 200},
    {HTTP_GET_, "/lang/config", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE, wiki_lang_config,
     "The languages wikis are written in", "", "", "WikiLanguages", 200},
    {HTTP_GET_, "/api/lang/config", LANE_READ, ACCESS_ANYONE, RATE_READ, BODY_NONE,
     wiki_lang_config, "The same under the name of an older page", "", "", "WikiLanguages", 200},
    {HTTP_GET_, "/models/config", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wiki_models_config,
     "The models to choose from for wikis, the usual one of each site first; "
     "empty for who may read none",
     "", "", "WikiModels", 200},
    {HTTP_GET_, "/api/models/config", LANE_READ, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wiki_models_config, "The same under the name of an older page", "", "", "WikiModels", 200},
    {HTTP_GET_, "/api/wiki_cache", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE, wiki_cache_get,
     "The newest wiki written about a repository that one may see, or null", "",
     "owner:text, repo:text, repo_type:text, language:text", "WikiCache 401", 200},
    {HTTP_POST_, "/api/wiki_cache", LANE_SLOW, ACCESS_OPTIONAL, RATE_WRITE, BODY_WIKI,
     wiki_cache_post,
     "Hand in a wiki that an older page has made; a token in it is dropped, and such a wiki is "
     "then "
     "not for everyone",
     "repo:WikiRepo, language:text, wiki_structure:WikiStructure, generated_pages:object, "
     "provider:text:0-255, model:text:0-255, comprehensive:bool?",
     "", "WikiMessage 401 403 409 507", 200},
    {HTTP_DELETE_, "/api/wiki_cache", LANE_WRITE, ACCESS_OPTIONAL, RATE_WRITE, BODY_NONE,
     wiki_cache_delete, "Delete what was written about a repository: what is nobody's or one's own",
     "", "owner:text, repo:text, repo_type:text, language:text, authorization_code:text?",
     "WikiMessage 401 403 404", 200},
    {HTTP_GET_, "/api/processed_projects", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wiki_projects_get,
     "The repositories with a wiki that one may see, the newest first, 5000 at "
     "most",
     "", "", "[WikiProject] 401", 200},
    {HTTP_GET_, "/api/wiki/projects", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wiki_projects_get, "The same under the name of an older page", "", "", "[WikiProject] 401",
     200},
    {HTTP_DELETE_, "/api/wiki/projects", LANE_WRITE, ACCESS_OPTIONAL, RATE_WRITE, BODY_JSON,
     wiki_projects_delete, "As DELETE /api/wiki_cache",
     "owner:text, repo:text, repo_type:text, language:text, authorization_code:text?", "",
     "WikiMessage 401 403 404", 200},
    {HTTP_POST_, "/export/wiki", LANE_SLOW, ACCESS_OPTIONAL, RATE_WRITE, BODY_WIKI, wiki_export,
     "Pages as one file of Markdown or JSON",
     "repo_url:text, pages:[WikiPage], format:markdown|json", "", "text/markdown 401 403", 200},
    {HTTP_GET_, "/local_repo/structure", LANE_SLOW, ACCESS_OPTIONAL, RATE_READ, BODY_NONE,
     wiki_local_structure,
     "The files and the README of a folder of this machine, if the operator allowed it", "",
     "path:text", "WikiFolder 401 403 404", 200},
};
/* clang-format on */
const size_t routes_count = COUNT_OF(routes_table);
