/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "app/seed.h"

#include "base/clock.h"
#include "base/rng.h"
#include "community/accounts.h"
#include "community/letters.h"
#include "community/settlers.h"
#include "community/talk.h"
#include "store/community.h"
#include "wiki/library.h"

/* The usual settlers (community/settlers.h), in their order, and two members. */
enum { XIAOMING, XIAOHONG, XIAOLI, LAN, TOM, PERSON_COUNT };
static_assert((int)LAN == (int)SETTLERS_USUAL, "members come behind the settlers");

static const struct member_row {
    int person;
    const char *username, *nickname, *bio;
} member_rows[] = {
    {LAN, "demo_lan", "阿兰", "住在胡同口，养了一只橘猫。"},
    {TOM, "demo_tom", "Tom", "New in the lane. Learning Chinese, slowly."},
};
const char seed_demo_password[] = "hutong-demo";

static const struct post_row {
    int author;
    const char *content;
} post_rows[] = {
    {XIAOLI, "早上六点的公园，湖面上还有雾。今天跑了八公里，谁明天一起？"},
    {TOM, "Hello neighbours! Just moved in near the square. Which café has the best light in the "
          "afternoon?"},
    {XIAOHONG, "在图书馆窗边画了一下午。光从左边进来，落在书脊上，像一排琴键。"},
    {LAN, "橘猫今天又在门口等我，等的其实是鱼。🐟"},
    {XIAOMING, "给社区的旧电脑装好了新系统，需要帮忙的邻居可以来广场找我。"},
    {TOM, "Today's word: 胡同 (hútòng). A lane, but also the people in it, I am told."},
    {XIAOHONG, "晚上有人想一起听唱片吗？我带《阿姐鼓》。"},
    {LAN, "包了饺子，白菜猪肉馅，多了二十个，谁要？"},
    {XIAOLI, "Hiking on Saturday: meet at the park gate at 7, back by noon. Bring water!"},
    {XIAOMING, "写了个小程序，把每天的日落时间发到广场的屏幕上。今天是 16:53。"},
};

struct seeding {
    struct api *api;
    struct user_id people[PERSON_COUNT];
    char hash[PASSWORD_HASH_BYTES];
    struct arena arena;
};

static struct act act_of(struct seeding *seeding, struct db *db, struct user_id me, int64_t at_us)
{
    struct act act;
    act_init(&act, db, &seeding->arena, at_us, me, ROLE_MEMBER);
    return act;
}

static enum err seed_settlers(struct seeding *seeding, struct db *db, int64_t at_us,
                              struct why *why)
{
    struct settling settling = {.chinese = true};
    for (size_t i = 0; i < SETTLERS_USUAL; i++) settling.chosen[i] = true;
    struct act act = act_of(seeding, db, (struct user_id){0}, at_us);
    enum err err = settlers_move_in(&act, &settling, why);
    for (size_t i = 0; i < SETTLERS_USUAL; i++) seeding->people[i] = settling.ids[i];
    return err;
}

static enum err seed_members(struct seeding *seeding, struct db *db, int64_t at_us, struct why *why)
{
    enum err err = OK;
    for (size_t i = 0; i < COUNT_OF(member_rows) && !err; i++) {
        const struct member_row *row = &member_rows[i];
        struct account_draft draft = {.username = str_of(row->username),
                                      .nickname = str_of(row->nickname),
                                      .bio = str_of(row->bio),
                                      .password_hash = str_of(seeding->hash),
                                      .role = ROLE_MEMBER};
        struct user user;
        struct act act = act_of(seeding, db, (struct user_id){0}, at_us);
        err = accounts_create(&act, &draft, &user, why);
        seeding->people[row->person] = user.brief.id;
    }
    return err;
}

static enum err seed_posts(struct seeding *seeding, struct db *db, int64_t now_us, struct why *why)
{
    const int64_t step_us = INT64_C(47) * 60 * 1000000;
    enum err err = OK;
    for (size_t i = 0; i < COUNT_OF(post_rows) && !err; i++) {
        int64_t at_us = now_us - (int64_t)(COUNT_OF(post_rows) - i) * step_us;
        struct user_id author = seeding->people[post_rows[i].author];
        struct act act = act_of(seeding, db, author, at_us);
        struct post_draft draft = {.content = str_of(post_rows[i].content)};
        struct post post;
        err = talk_post(&act, &draft, &post, why);
        if (!err) err = act_store(&act, why);
        for (size_t p = 0; p < PERSON_COUNT && !err; p++) {
            if ((p * 7 + i * 3) % 5 > 1 || seeding->people[p].value == author.value) continue;
            struct act liker = act_of(seeding, db, seeding->people[p], at_us + step_us / 3);
            bool liked;
            uint64_t count;
            err = talk_like(&liker, post.id, LIKE_ON, &liked, &count, why);
            if (!err) err = act_store(&liker, why);
        }
        if (!err && i == 1) {
            struct act answer = act_of(seeding, db, seeding->people[XIAOHONG], at_us + step_us / 2);
            struct comment comment;
            err = talk_comment(&answer, post.id, (struct comment_id){0},
                               STR("咖啡馆靠窗第二张桌子！ The second table by the window."),
                               &comment, why);
            if (!err) err = act_store(&answer, why);
        }
    }
    return err;
}

static enum err seed_messages(struct seeding *seeding, struct db *db, int64_t now_us,
                              struct why *why)
{
    static const struct {
        int from, to;
        const char *text;
    } rows[] = {
        {LAN, TOM, "欢迎搬来！饺子给你留了一份。"},
        {TOM, LAN, "谢谢！ Thank you so much 🙏"},
        {XIAOMING, TOM, "需要帮忙装网络的话，晚上我在家。"},
    };
    enum err err = OK;
    for (size_t i = 0; i < COUNT_OF(rows) && !err; i++) {
        struct act act = act_of(seeding, db, seeding->people[rows[i].from],
                                now_us - (int64_t)(COUNT_OF(rows) - i) * 600 * 1000000);
        struct letter_draft draft = {.to = seeding->people[rows[i].to],
                                     .content = str_of(rows[i].text)};
        struct message message;
        err = letters_send(&act, &draft, &message, why);
        if (!err) err = act_store(&act, why);
    }
    return err;
}

static enum err apply_seed(void *ctx, struct db *db, struct why *why)
{
    struct seeding *seeding = ctx;
    int64_t now_us = clock_wall_us();
    struct community community = {.name = STR(""), .about = STR(""), .set_up_us = now_us};
    enum err err = community_save(db, &community, why);
    int64_t yesterday_us = now_us - INT64_C(86400) * 1000000;
    if (!err) err = seed_settlers(seeding, db, yesterday_us, why);
    if (!err) err = seed_members(seeding, db, yesterday_us, why);
    if (!err) err = seed_posts(seeding, db, now_us, why);
    if (!err) err = seed_messages(seeding, db, now_us, why);
    return err;
}

/* How many people there are, and residents. */
static enum err count_accounts(struct api *api, struct db **db_out, uint64_t *people_out,
                               uint64_t *residents_out, struct why *why)
{
    enum err err = store_connect(api->store, db_out, why);
    if (err) return err;
    err = counter_load(*db_out, "users", people_out, why);
    if (!err) err = counter_load(*db_out, "residents", residents_out, why);
    if (err) db_close(*db_out);
    return err;
}

enum err seed_demo(struct api *api, struct why *why)
{
    struct db *db;
    uint64_t people = 0, residents = 0;
    enum err err = count_accounts(api, &db, &people, &residents, why);
    if (err) return err;
    if (people + residents == 0) {
        struct seeding seeding = {.api = api};
        err = password_hash(&api->passwords, str_of(seed_demo_password), seeding.hash, why);
        if (!err) err = store_write(api->store, db, apply_seed, &seeding, why);
        arena_release(&seeding.arena);
    }
    db_close(db);
    if (err) return err;
    printf("Demo community: log in as demo_lan or demo_tom, password %s\n", seed_demo_password);
    return OK;
}

enum err seed_wikis(struct api *api, struct why *why)
{
    struct str roots = api->settings->wiki_roots, root;
    struct arena arena = {0};
    struct db *db;
    enum err err = store_connect(api->store, &db, why);
    if (err) return err;
    while (!err && str_split(&roots, ':', &root)) {
        struct wiki_address address;
        if (str_trim(root).len == 0) continue;
        err = wiki_address_parse(&arena, root, STR("local"), &address, why);
        if (err) break;
        struct wiki wiki = wiki_draft(&address);
        err = wiki_library_add(api->wikis, db, &arena, &wiki, STR(""), why);
    }
    db_close(db);
    arena_release(&arena);
    return err;
}

enum err prepare_admin_code(struct api *api, struct why *why)
{
    struct db *db;
    uint64_t people = 0, residents = 0;
    enum err err = count_accounts(api, &db, &people, &residents, why);
    if (err) return err;
    db_close(db);
    if (people > 0) return OK; /* residents alone, out of a file, cannot run anything */
    uint8_t secret[16];
    random_bytes(secret, sizeof(secret));
    hex_write(api->admin_code, secret, sizeof(secret));
    printf("Nobody is here yet. The first account becomes administrator with this code, once:\n"
           "    %s\n"
           "(Join with it in a browser, or POST /auth/register with \"admin_code\")\n",
           api->admin_code);
    return OK;
}
