/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/handlers.h: the handlers the route table names, file by file. What each does stands in the
 * table. */
#pragma once

#include "api/call.h"
#include "store/keys.h"
#include "store/sessions.h"
#include "store/usage.h"

/* accounts.c */
handler auth_register, auth_login, auth_refresh, auth_logout, auth_logout_all, auth_me;
handler auth_password, auth_sessions, auth_end_session;
/* users.c */
handler search_users, users_get_list, users_get_one, users_put_me;
/* A log-in; `current`: the number of the caller's own. */
void sessions_put(struct json_out *out, const struct session *session, uint64_t current);
/* leaving.c */
handler users_delete_me, admin_delete_resident;
/* takeaway.c */
handler users_export_me;
/* A whole profile as the caller sees it. */
MUST_USE enum err users_reply(struct call *call, const struct user *user, struct why *why);
/* community.c */
handler community_get, community_patch;
/* admin.c */
handler admin_get_users, admin_put_role, admin_put_banned, admin_get_audit;
/* overview.c */
handler admin_get_overview;
/* reports.c */
handler reports_post, admin_get_reports, admin_resolve_report;
/* follows.c */
handler follows_put, follows_delete, follows_get, follows_get_followers, follows_get_following;
/* posts.c */
handler posts_get_list, posts_post, posts_get_one, posts_put, posts_delete;
handler posts_toggle_like, posts_put_like, posts_delete_like, search_posts, search_tags;
/* comments.c */
handler comments_get_list, comments_post, comments_delete;
/* notifications.c */
handler notifications_get_list, notifications_get_unread, notifications_post_read;
/* messages.c */
handler messages_conversations, messages_history, messages_send, messages_read, messages_unread;
handler messages_delete, search_messages;
/* groups.c */
handler groups_get_list, groups_post, groups_get_one, groups_put, groups_get_messages;
handler groups_post_message, groups_post_member, groups_delete_member, groups_post_read;
/* keys.c */
handler keys_post, keys_get_list, keys_patch, keys_delete, usage_get;
/* `text` .at NULL: without the secret, which nobody has any more. */
void keys_put(struct json_out *out, const struct api_key *key, struct str text);
void usage_put(struct json_out *out, const struct usage_row *row);
/* gateway_models.c */
handler chat_models;
/* chats.c */
handler chats_get_list, chats_post, chats_get_one, chats_patch, chats_delete, chats_get_messages;
handler chats_export, chats_post_message, chats_regenerate, chats_stream, chats_stop;
/* service.c */
handler service_index, places_get;
handler app_page, app_manifest, app_file, app_asset, app_diagram;
/* The app, which says that there is no such page: a browser asked for what no route knows. */
MUST_USE enum err app_missing(struct call *call, struct why *why);
handler town_get, town_get_log, town_get_log_entry, town_get_resident, town_post_control;
/* wikis.c, wiki_read.c, wiki_ask.c, wiki_old_doors.c */
handler wikis_get_list, wikis_post, wikis_get_one, wikis_patch, wikis_delete, wikis_update;
handler wikis_stop, wikis_files, wikis_file, wikis_symbols, wikis_graph, wikis_search, wikis_ask;
handler wiki_old_stream, wiki_old_ws;
/* wiki_books.c */
handler wiki_books_get_list, wiki_books_post, wiki_books_get_one, wiki_books_get_page,
    wiki_books_export;
handler wiki_books_stop, wiki_books_go_on, wiki_books_delete;
/* The sockets of /ws/chat. On the loop: those of who has logged out or was banned close; those that
 * ask nothing close, as the server stops; all are cut off. */
void wiki_old_notice(struct api_loop *home, const struct hub_notice *notice);
void wiki_old_drain(struct api_loop *home);
void wiki_old_abort(struct api_loop *home);
/* society.c */
handler society_get, society_get_ties;
/* town_pictures.c */
handler town_get_pictures, town_retry_picture;
/* admin_residents.c */
handler admin_get_residents, admin_post_resident, admin_put_resident, admin_import_residents;
handler admin_export_residents;
/* admin_settlers.c */
handler admin_get_settlers, admin_post_settlers;
/* admin_draft.c, admin_models.c, admin_backups.c, admin_settings.c, admin_town.c */
handler admin_draft_resident;
handler admin_get_models, admin_look_for_models, admin_check_model;
handler admin_get_backups, admin_post_backup, admin_get_backup, admin_delete_backup;
handler admin_get_settings, admin_get_town;
