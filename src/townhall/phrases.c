/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/phrases.c: what the town knows as numbers, in sentences.
 *
 * Short ones, for the action log, the map and memories: in Chinese for who
 * writes Chinese, else in English. What residents say in posts, comments and
 * messages is not made here (words.c).
 */
#include "townhall/internal.h"

struct words {
    const char *zh, *en;
};

static const char *say(const struct words *words, bool chinese)
{
    return chinese ? words->zh : words->en;
}

/* Words the offline engine knows as themes (llm/offline.grammar). */
static const struct words subjects[SUBJECT_COUNT] = {
    [SUBJECT_NONE] = {"", ""},
    [SUBJECT_WEATHER] = {"天气", "weather"},
    [SUBJECT_FOOD] = {"做饭", "food"},
    [SUBJECT_WORK] = {"工作", "work"},
    [SUBJECT_STUDY] = {"学习", "studying"},
    [SUBJECT_ART] = {"画画", "painting"},
    [SUBJECT_MUSIC] = {"音乐", "music"},
    [SUBJECT_SPORT] = {"跑步", "running"},
    [SUBJECT_BOOKS] = {"看书", "books"},
    [SUBJECT_TECH] = {"编程", "programming"},
    [SUBJECT_NATURE] = {"散步", "walk"},
    [SUBJECT_NEIGHBOURS] = {"朋友", "friends"},
    [SUBJECT_HEALTH] = {"睡觉", "sleep"},
    [SUBJECT_DREAMS] = {"旅行", "travel"},
    [SUBJECT_NEWS] = {"电影", "film"},
};

struct str subject_words(bool chinese, uint8_t subject)
{
    ASSERT(subject < SUBJECT_COUNT);
    return str_of(say(&subjects[subject], chinese));
}

const char *mood_word(uint8_t emotion)
{
    static const char *const words[EMOTION_COUNT] = {"happy",   "calm",    "sad",   "angry",
                                                     "anxious", "excited", "tired", "lonely"};
    ASSERT(emotion < EMOTION_COUNT);
    return words[emotion];
}

struct str player_name(const struct cast *cast, uint32_t who)
{
    if (is_member(who)) return cast_member_name(cast, who);
    if (who >= cast->count) return STR("");
    return cast->players[who].name;
}

struct str place_name(const struct cast *cast, uint16_t place)
{
    return place < cast->location_count ? cast->locations[place].name : STR("");
}

/* %p: the place, %w: the other one, %s: the subject. */
static const struct words deeds[DEED_COUNT] = {
    [DEED_IDLE] = {"发呆", "does nothing"},
    [DEED_WAIT] = {"待一会儿", "waits a little"},
    [DEED_LOOK_AROUND] = {"在%p四处看看", "looks around at %p"},
    [DEED_MOVE_TO] = {"去%p", "walks to %p"},
    [DEED_TALK_TO] = {"和%w聊%s", "talks with %w about %s"},
    [DEED_GREET] = {"和%w打招呼", "greets %w"},
    [DEED_REST] = {"休息", "rests"},
    [DEED_SLEEP] = {"睡觉", "sleeps"},
    [DEED_EAT] = {"在%p吃饭", "eats at %p"},
    [DEED_WORK] = {"在%p工作", "works at %p"},
    [DEED_USE_ITEM] = {"吃点东西垫垫", "has a snack"},
    [DEED_GIVE] = {"送给%w一份礼物", "gives %w a present"},
    [DEED_THINK] = {"想事情", "thinks things over"},
    [DEED_BROWSE_POSTS] = {"刷动态", "reads the feed"},
    [DEED_CREATE_POST] = {"发动态", "writes a post"},
    [DEED_CHECK_MESSAGES] = {"看消息", "looks at messages"},
    [DEED_SEND_MESSAGE] = {"给%w发消息", "writes to %w"},
    [DEED_VIEW_USER_PROFILE] = {"看%w的主页", "looks at %w's page"},
    [DEED_FOLLOW] = {"关注%w", "follows %w"},
};

static const struct words reasons[REASON_COUNT] = {
    [REASON_NONE] = {"", ""},
    [REASON_TIRED] = {"累了", "tired"},
    [REASON_BEDTIME] = {"该睡了", "it is bedtime"},
    [REASON_HUNGRY] = {"饿了", "hungry"},
    [REASON_MEAL_TIME] = {"到饭点了", "it is time to eat"},
    [REASON_WORK_TIME] = {"该工作了", "it is time to work"},
    [REASON_LONELY] = {"想有人陪", "wants company"},
    [REASON_BORED] = {"想换换心情", "wants a change"},
    [REASON_CURIOUS] = {"好奇", "curious"},
    [REASON_FOND] = {"惦记对方", "fond of them"},
    [REASON_PLAN] = {"按计划", "as planned"},
    [REASON_MESSAGE] = {"手机响了", "the phone buzzed"},
    [REASON_TELL] = {"有话想说", "has something to tell"},
    [REASON_HOME] = {"想回家", "wants to go home"},
    [REASON_UNWELL] = {"不太舒服", "not feeling well"},
    [REASON_ENCOUNTER] = {"正好遇见", "they met"},
    [REASON_DAY_OVER] = {"一天结束了", "the day is over"},
    [REASON_MODEL] = {"自己的决定", "decided so"},
    [REASON_ASKING] = {"在想做什么", "making up its mind"},
};

static const struct words facts[FACT_COUNT] = {
    [FACT_SELF] = {"我是%w", "I am %w"},
    [FACT_COMMON] = {"", ""},
    [FACT_MET] = {"第一次遇见%w", "met %w for the first time"},
    [FACT_TALKED] = {"和%w聊了%s", "talked with %w about %s"},
    [FACT_GREETED] = {"和%w打了招呼", "greeted %w"},
    [FACT_ATE_WITH] = {"和%w一起吃了饭", "had a meal with %w"},
    [FACT_WROTE_TO] = {"给%w写了消息", "wrote to %w"},
    [FACT_HEARD_FROM] = {"收到%w的消息", "heard from %w"},
    [FACT_READ] = {"读了%w的动态", "read a post of %w"},
    [FACT_POSTED] = {"发了一条关于%s的动态", "wrote a post about %s"},
    [FACT_LIKED_BY] = {"%w喜欢我的动态", "%w liked a post of mine"},
    [FACT_COMMENTED_BY] = {"%w评论了我的动态", "%w commented on a post of mine"},
    [FACT_FOLLOWED_BY] = {"%w关注了我", "%w follows me now"},
    [FACT_GOT] = {"%w送我一份礼物", "got a present from %w"},
    [FACT_GAVE] = {"送了%w一份礼物", "gave %w a present"},
    [FACT_TURNED_AWAY] = {"吃了闭门羹", "stood before a closed door"},
    [FACT_WORKED] = {"工作了一天", "worked all day"},
    [FACT_ROUGH_SKY] = {"遇上坏天气", "was caught in bad weather"},
    [FACT_ILL] = {"身体不舒服", "did not feel well"},
    [FACT_THOUGHT] = {"想了很多", "thought a lot"},
    [FACT_DAY] = {"过了平静的一天", "had a quiet day"},
};

struct filling {
    const struct cast *cast;
    bool chinese;
    uint32_t who;
    uint16_t place;
    uint8_t subject;
};

static void fill(struct buf *to, const char *text, const struct filling *filling)
{
    for (const char *at = text; *at; at++) {
        if (*at != '%' || at[1] == '\0') {
            buf_add_byte(to, *at);
            continue;
        }
        struct str word = {0};
        at++;
        if (*at == 'w') {
            word = player_name(filling->cast, filling->who);
            if (word.len == 0) word = filling->chinese ? STR("某位邻居") : STR("a neighbour");
        } else if (*at == 'p') {
            word = place_name(filling->cast, filling->place);
            if (word.len == 0) word = filling->chinese ? STR("路上") : STR("the way");
        } else {
            word = subject_words(filling->chinese, filling->subject);
            if (word.len == 0) word = filling->chinese ? STR("家常") : STR("this and that");
        }
        buf_add_str(to, word);
    }
}

static bool writes_chinese(const struct cast *cast, uint32_t who)
{
    return who < cast->count && cast->players[who].chinese;
}

void phrase_deed(struct buf *to, const struct cast *cast, const struct effect *effect)
{
    bool chinese = writes_chinese(cast, effect->who);
    struct filling filling = {cast, chinese, effect->other, effect->place, effect->subject};
    fill(to, say(&deeds[effect->deed], chinese), &filling);
    if (effect->kind == EFFECT_DEED && !effect->fine)
        buf_add_str(to, chinese ? STR("，没成") : STR(", but it came to nothing"));
}

void phrase_on_post(struct buf *to, const struct cast *cast, const struct effect *effect,
                    enum post_deed deed, uint64_t post)
{
    static const struct words whats[] = {
        [ON_POST_LIKE] = {"喜欢%w的动态", "likes a post of %w"},
        [ON_POST_COMMENT] = {"评论%w的动态", "comments on a post of %w"},
        [ON_POST_ANSWER] = {"回复%w的评论", "answers a comment of %w"},
    };
    bool chinese = writes_chinese(cast, effect->who);
    struct filling filling = {cast, chinese, effect->other, effect->place, effect->subject};
    fill(to, say(&whats[deed], chinese), &filling);
    buf_printf(to, " #%llu", (unsigned long long)post);
}

void phrase_reason(struct buf *to, bool chinese, uint8_t reason)
{
    buf_add_str(to, str_of(say(&reasons[reason], chinese)));
}

/* EFFECT_REMEMBER: a day or a thought; `deed` is the fact behind it. */
void phrase_remembered(struct buf *to, const struct cast *cast, const struct effect *effect)
{
    bool chinese = writes_chinese(cast, effect->who);
    struct filling filling = {cast, chinese, effect->other, effect->place, effect->subject};
    uint8_t about =
        effect->deed < FACT_COUNT && effect->deed != FACT_SELF ? effect->deed : effect->fact;
    if (effect->fact == FACT_THOUGHT && effect->other != NOBODY) {
        static const struct words warm = {"越想越觉得，%w在我心里很重要",
                                          "the more I think of it, the more %w means to me"};
        static const struct words cool = {"和%w之间，好像有点别扭",
                                          "something between %w and me is not right"};
        static const struct words even = {"最近常常想起%w", "%w has been on my mind lately"};
        const struct words *words = effect->mood > 20 ? &warm : effect->mood < -10 ? &cool : &even;
        fill(to, say(words, chinese), &filling);
    } else {
        if (effect->fact == FACT_DAY) buf_add_str(to, chinese ? STR("今天") : STR("Today I "));
        fill(to, say(&facts[about], chinese), &filling);
    }
    buf_add_str(to, chinese ? STR("。") : STR("."));
}

/* What all know, after the original's two. */
static const struct words common[COMMON_FACTS] = {
    {"大家都住在这个小镇上，在这里生活、工作、走动、聊天，用手机发动态。",
     "Everybody here lives in this small town: works, walks about, talks, and posts by phone."},
    {"一天的作息：早上八点前后起床，晚上十点前后休息，累了就歇一歇。",
     "The rhythm of a day: up at about eight, to rest at about ten; who is tired takes a rest."},
};

void phrase_memory(struct buf *to, const struct cast *cast, uint32_t who,
                   const struct memory *memory)
{
    if (memory->fact == FACT_COMMON) {
        const struct words *words = &common[MIN(MAX(memory->ref, 1), COMMON_FACTS) - 1];
        buf_add_str(to, str_of(say(words, writes_chinese(cast, who))));
        return;
    }
    bool thought = memory->fact == FACT_DAY || memory->fact == FACT_THOUGHT;
    struct effect effect = {.who = who,
                            .other = memory->who,
                            .place = memory->place,
                            .deed = thought ? memory->about : memory->fact,
                            .fact = memory->fact,
                            .subject = memory->subject,
                            .mood = memory->valence};
    phrase_remembered(to, cast, &effect);
}
