/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/settlers.h"

#include "community/residents.h"
#include "store/community.h"
#include "store/records.h"

/* --- who and where --- */

/* The original's three came without age and occupation; a town draws what is not said, and drew a
 * programmer of 75 without work. `at_home` goes on behind "lives here", and may be NULL. */
struct words {
    const char *nickname, *about, *personality, *at_home, *occupation, *style, *goal;
};

struct settler_row {
    const char *username;
    double x, y; /* of the house, its top left corner */
    uint64_t age;
    const char *up, *work, *off, *bed; /* clock times; `work` NULL: does not go to work */
    struct words zh, en;
};

static const struct settler_row rows[] = {
    {.username = "ai_xiaoming",
     .x = -50,
     .y = -50,
     .age = 28,
     .up = "07:30",
     .work = "09:30",
     .off = "18:30",
     .bed = "23:30",
     .zh = {"小明", "写代码的人，喜欢新东西，也喜欢帮忙。", "外向,乐于助人,热爱科技",
            "桌上有两台电脑", "程序员", "热心，爱打比方", "教会街坊们用电脑"},
     .en = {"Ming", "Writes code, likes new things, and likes to help.",
            "outgoing,helpful,programmer at heart", "with two computers on the table", "programmer",
            "Warm, and fond of comparisons.", "teach the neighbours to use their computers"}},
    {.username = "ai_xiaohong",
     .x = 80,
     .y = -30,
     .age = 31,
     .up = "08:00",
     .work = "10:00",
     .off = "17:00",
     .bed = "23:30",
     .zh = {"小红", "画画，听音乐，把看到的颜色记下来。", "温柔,热爱艺术,善于表达",
            "墙上挂着她的画", "画家", "轻声慢语，常说到颜色", "画完胡同的四季"},
     .en = {"Hong", "Paints, listens to music, and writes down the colours she sees.",
            "gentle,artistic,expressive", "with her pictures on the walls", "painter",
            "Softly, often about colours.", "paint the lane in all four seasons"}},
    {.username = "ai_xiaoli",
     .x = -100,
     .y = 80,
     .age = 25,
     .up = "05:30",
     .work = "08:00",
     .off = "16:30",
     .bed = "22:00",
     .zh = {"小李", "早起跑步，周末爬山。", "精力充沛,热爱户外,乐观", "门口放着跑鞋", "体育老师",
            "干脆利落，爱给人鼓劲", "带大家跑完一次半程马拉松"},
     .en = {"Li", "Runs in the morning and climbs hills on Sundays.",
            "energetic,outdoors,optimistic", "with running shoes at the door", "sports teacher",
            "Short and cheering.", "run a half marathon with the neighbours"}},
    {.username = "ai_amei",
     .x = 130,
     .y = 0,
     .age = 34,
     .up = "06:00",
     .work = "07:00",
     .off = "17:00",
     .bed = "22:00",
     .zh = {"阿梅", "咖啡馆的老板，记得每位客人的口味。", "开朗,细心,勤快", NULL, "咖啡师",
            "爽快，爱问候人", "办一次街坊音乐会"},
     .en = {"Mei", "Keeps the café and remembers how everybody takes their coffee.",
            "cheerful,careful,diligent", NULL, "barista",
            "Quick and warm, always asks how you are.", "a concert for the whole street"}},
    {.username = "ai_laochen",
     .x = 20,
     .y = 90,
     .age = 68,
     .up = "05:30",
     .bed = "21:00",
     .zh = {"陈老师", "退休的语文老师，在公园下棋，爱讲旧事。", "安静,认真,友善", NULL, "退休教师",
            "慢条斯理，常引诗句", "把胡同的故事写成一本小书"},
     .en = {"Old Chen", "A retired teacher who plays chess in the park and knows the old stories.",
            "quiet,careful,kind", NULL, "retired teacher", "Slow and exact, with a line of a poem.",
            "a small book of the street's stories"}},
    {.username = "ai_xiaozhou",
     .x = -110,
     .y = -20,
     .age = 29,
     .up = "06:30",
     .work = "08:00",
     .off = "18:00",
     .bed = "23:00",
     .zh = {"小周", "诊所的护士，下班后去图书馆看侦探小说。", "负责,善良,敏感", NULL, "护士",
            "轻声，句子很短", "学会游泳"},
     .en = {"Zhou", "A nurse who reads detective stories in the library after work.",
            "kind,sensitive,careful", NULL, "nurse", "Softly, in short sentences.",
            "learn to swim"}},
    {.username = "ai_dashan",
     .x = 60,
     .y = 90,
     .age = 51,
     .up = "06:00",
     .work = "08:30",
     .off = "18:30",
     .bed = "22:30",
     .zh = {"大山", "开一家修理铺，什么都能修，嘴硬心软。", "挑剔,勤快,乐于助人", NULL,
            "修理店老板", "直来直去，爱开玩笑", "修好广场上的旧钟"},
     .en = {"Shan", "Has a repair shop, can mend anything, and grumbles while he does it.",
            "grumpy,diligent,helpful", NULL, "shopkeeper", "Straight out, with a joke behind it.",
            "mend the old clock on the square"}},
    {.username = "ai_qiqi",
     .x = -20,
     .y = -90,
     .age = 19,
     .up = "07:30",
     .work = "09:00",
     .off = "16:00",
     .bed = "23:30",
     .zh = {"琪琪", "美术学院的学生，什么都想试一试。", "好奇,活泼,热爱艺术", NULL, "学生",
            "语速快，爱用感叹号", "在咖啡馆办第一次画展"},
     .en = {"Qiqi", "An art student who wants to try everything once.", "curious,creative,outgoing",
            NULL, "student", "Fast, and with exclamation marks!",
            "a first show of her own in the café"}},
};
static_assert(COUNT_OF(rows) == SETTLERS_COUNT, "as many as the header says");

struct place_row {
    const char *zh, *en, *type;
    double x, y, width, height;
    const char *zh_about, *en_about;
};

static const struct place_row place_rows[] = {
    {"中心广场", "Central Square", "public", 0, 0, 50, 50, "社区的中心，人来人往，适合聊天。",
     "The middle of it all, where people meet and talk."},
    {"咖啡馆", "Café", "commercial", 100, 50, 20, 15, "安静的咖啡馆，有靠窗的座位。",
     "A quiet café with seats at the window."},
    {"图书馆", "Library", "public", -80, 30, 30, 25, "藏书不少，下午阳光很好。",
     "Many books, and good light in the afternoon."},
    {"公园", "Park", "public", 50, -100, 80, 60, "有湖、有长椅、有跑步的人。",
     "A lake, benches, and people who run."},
};
enum { HOUSE_SIDE = 15, BIO_BYTES_MAX = 4096 };

static const struct words *words_of(size_t index, bool chinese)
{
    ASSERT(index < SETTLERS_COUNT);
    return chinese ? &rows[index].zh : &rows[index].en;
}

struct settler settler_at(size_t index, bool chinese)
{
    const struct words *words = words_of(index, chinese);
    return (struct settler){.username = str_of(rows[index].username),
                            .nickname = str_of(words->nickname),
                            .about = str_of(words->about),
                            .personality = str_of(words->personality)};
}

size_t settler_find(struct str username)
{
    size_t index = 0;
    while (index < SETTLERS_COUNT && !str_eq(str_of(rows[index].username), username)) index++;
    return index;
}

/* --- profiles --- */

static void put_hours(struct json_out *out, const struct settler_row *row, bool chinese)
{
    json_open(out, "daily_routine", '{');
    json_put_str(out, row->up, chinese ? STR("起床") : STR("get up"));
    if (row->work) json_put_str(out, row->work, chinese ? STR("上班") : STR("work"));
    if (row->work) json_put_str(out, row->off, chinese ? STR("下班") : STR("off work"));
    json_put_str(out, row->bed, chinese ? STR("睡觉") : STR("go to bed"));
    json_close(out, '}');
}

static struct str bio_of(struct arena *arena, size_t index, bool chinese)
{
    const struct settler_row *row = &rows[index];
    const struct words *words = words_of(index, chinese);
    struct buf bio;
    buf_init(&bio, BIO_BYTES_MAX);
    struct json_out out = json_begin(&bio);
    json_open(&out, NULL, '{');
    json_put_str(&out, "description", str_of(words->about));
    json_put_str(&out, "occupation", str_of(words->occupation));
    json_put_u64(&out, "age", row->age);
    json_put_str(&out, "speaking_style", str_of(words->style));
    json_open(&out, "goals", '[');
    json_put_str(&out, NULL, str_of(words->goal));
    json_close(&out, ']');
    put_hours(&out, row, chinese);
    json_close(&out, '}');
    ASSERT(!bio.failed);
    struct str text = arena_copy(arena, buf_str(&bio));
    buf_release(&bio);
    return text;
}

/* --- places --- */

static void count_place(void *ctx, const struct location *place)
{
    (void)place;
    ++*(size_t *)ctx;
}

/* On the lot of that settler, whoever lives there. */
static enum err add_house(struct act *act, struct settling *settling, size_t lot, struct str name,
                          struct str about, struct why *why)
{
    struct location house = {.name = name,
                             .type = STR("residential"),
                             .description = about,
                             .x = rows[lot].x,
                             .y = rows[lot].y,
                             .width = HOUSE_SIDE,
                             .height = HOUSE_SIDE};
    settling->places++;
    return locations_add(act->db, &house, why);
}

/* `at_home` may be NULL. */
static enum err add_house_of(struct act *act, struct settling *settling, size_t lot,
                             struct str nickname, const char *at_home, struct why *why)
{
    struct arena *arena = act->arena;
    bool chinese = settling->chinese;
    const char *comma = !at_home ? "" : chinese ? "，" : ", ";
    if (!at_home) at_home = "";
    struct str name = chinese ? arena_printf(arena, "%.*s的家", STR_ARGS(nickname))
                              : arena_printf(arena, "%.*s's home", STR_ARGS(nickname));
    struct str about =
        chinese ? arena_printf(arena, "%.*s住在这里%s%s。", STR_ARGS(nickname), comma, at_home)
                : arena_printf(arena, "%.*s lives here%s%s.", STR_ARGS(nickname), comma, at_home);
    return add_house(act, settling, lot, name, about, why);
}

static enum err add_own_house(struct act *act, struct settling *settling, size_t index,
                              struct why *why)
{
    const struct words *words = words_of(index, settling->chinese);
    return add_house_of(act, settling, index, str_of(words->nickname), words->at_home, why);
}

static enum err add_public_places(struct act *act, struct settling *settling, struct why *why)
{
    enum err err = OK;
    for (size_t i = 0; i < COUNT_OF(place_rows) && !err; i++) {
        const struct place_row *row = &place_rows[i];
        struct location place = {.name = str_of(settling->chinese ? row->zh : row->en),
                                 .type = str_of(row->type),
                                 .description =
                                     str_of(settling->chinese ? row->zh_about : row->en_about),
                                 .x = row->x,
                                 .y = row->y,
                                 .width = row->width,
                                 .height = row->height};
        settling->places++;
        err = locations_add(act->db, &place, why);
    }
    return err;
}

struct lodgers {
    struct arena *arena;
    struct str nicknames[SETTLERS_COUNT];
    size_t count;
};

static void note_lodger(void *ctx, const struct resident *resident)
{
    struct lodgers *lodgers = ctx;
    lodgers->nicknames[lodgers->count++] = arena_copy(lodgers->arena, resident->brief.nickname);
}

static enum err add_empty_house(struct act *act, struct settling *settling, size_t lot,
                                struct why *why)
{
    size_t number = lot + 1;
    return settling->chinese
               ? add_house(act, settling, lot, arena_printf(act->arena, "%zu号院", number),
                           STR("还没有主人的小院。"), why)
               : add_house(act, settling, lot, arena_printf(act->arena, "House %zu", number),
                           STR("A small house that is nobody's yet."), why);
}

/* For those who were made by hand before there was a place, and for whoever comes after them. */
static enum err house_lodgers(struct act *act, struct settling *settling, struct why *why)
{
    struct lodgers lodgers = {.arena = act->arena};
    enum err err = residents_list(act->db, 0, SETTLERS_COUNT, note_lodger, &lodgers, why);
    for (size_t i = 0; i < SETTLERS_COUNT && !err; i++)
        err = i < lodgers.count ? add_house_of(act, settling, i, lodgers.nicknames[i], NULL, why)
                                : add_empty_house(act, settling, i, why);
    return err;
}

static enum err add_places(struct act *act, struct settling *settling, struct why *why)
{
    enum err err = add_public_places(act, settling, why);
    if (!err && settling->people == 0) err = house_lodgers(act, settling, why);
    for (size_t i = 0; i < SETTLERS_COUNT && !err; i++)
        if (settling->chosen[i]) err = add_own_house(act, settling, i, why);
    struct str detail = arena_printf(act->arena, "%zu", settling->places);
    return err ? err : act_audit(act, AUDIT_PLACES_ADDED, "town", 0, detail, why);
}

/* --- moving in --- */

static enum err add_people(struct act *act, struct settling *settling, struct why *why)
{
    struct newcomer list[SETTLERS_COUNT];
    struct newcomers newcomers = {.list = list, .numbered = true};
    size_t index_of[SETTLERS_COUNT];
    for (size_t i = 0; i < SETTLERS_COUNT; i++) {
        if (!settling->chosen[i]) continue;
        struct settler settler = settler_at(i, settling->chinese);
        index_of[newcomers.count] = i;
        list[newcomers.count++] = (struct newcomer){.username = settler.username,
                                                    .nickname = settler.nickname,
                                                    .bio = bio_of(act->arena, i, settling->chinese),
                                                    .personality = settler.personality};
    }
    enum err err = newcomers_add(act, &newcomers, why);
    for (size_t i = 0; i < newcomers.count && !err; i++) settling->ids[index_of[i]] = list[i].id;
    return err;
}

static size_t count_chosen(const struct settling *settling)
{
    size_t count = 0;
    for (size_t i = 0; i < SETTLERS_COUNT; i++) count += settling->chosen[i];
    return count;
}

enum err settlers_move_in(struct act *act, struct settling *settling, struct why *why)
{
    uint64_t residents = 0;
    size_t there = 0;
    settling->people = count_chosen(settling);
    settling->places = 0;
    memset(settling->ids, 0, sizeof(settling->ids));
    /* Held until the commit, so that a second one sees who came. */
    enum err err = community_lock(act->db, why);
    if (!err) err = counter_load(act->db, "residents", &residents, why);
    if (!err) err = locations_list(act->db, count_place, &there, why);
    if (err) return err;
    if (residents > 0 && settling->people > 0)
        return why_set(
            why, ERR_CONFLICT,
            "已经有居民住在这里 (residents live here already; make more by hand or bring "
            "them in from a file)");
    if (there > 0 && settling->people == 0)
        return why_set(why, ERR_CONFLICT, "地点已经有了 (there are places already)");
    if (there == 0) err = add_places(act, settling, why);
    return err ? err : add_people(act, settling, why);
}
