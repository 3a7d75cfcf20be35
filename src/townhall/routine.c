/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/routine.h"

enum {
    HOUR = 60,
    WAKE_FIRST = 3 * HOUR,
    WAKE_LAST = 12 * HOUR,
    BED_FIRST = 18 * HOUR,
    BED_LAST = 4 * HOUR,
    SLEEP_LEAST = 5 * HOUR,
    SLEEP_MOST = 12 * HOUR,
    WORK_LEAST = 2 * HOUR,
    WORK_MOST = 14 * HOUR,
    WEEKDAYS = 0x1f,
    TIMES_MOST = 2,
};

enum meaning { MEANS_NOTHING, MEANS_WAKE, MEANS_BED, MEANS_WORK, MEANS_WORK_END };

/* --- words --- */

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : byte;
}

static bool is_letter(char byte)
{
    return lower(byte) >= 'a' && lower(byte) <= 'z';
}

/* English words stand alone ("work", not "homework"); Chinese ones stand where they stand. */
static bool has_word(struct str line, struct str word)
{
    bool english = is_letter(word.at[0]);
    for (size_t i = 0; i + word.len <= line.len; i++) {
        size_t same = 0;
        while (same < word.len && lower(line.at[i + same]) == word.at[same]) same++;
        if (same < word.len) continue;
        bool before = i > 0 && is_letter(line.at[i - 1]);
        bool behind = i + word.len < line.len && is_letter(line.at[i + word.len]);
        if (!english || (!before && !behind)) return true;
    }
    return false;
}

/* The first that stands there counts: "off work" before "work". */
static enum meaning meaning_of(struct str line)
{
    static const struct {
        const char *word;
        enum meaning meaning;
    } words[] = {
        {"起床", MEANS_WAKE},         {"醒", MEANS_WAKE},
        {"get up", MEANS_WAKE},       {"gets up", MEANS_WAKE},
        {"wake up", MEANS_WAKE},      {"wakes up", MEANS_WAKE},
        {"wake", MEANS_WAKE},         {"wake_up", MEANS_WAKE},
        {"wake_time", MEANS_WAKE},    {"wakeup", MEANS_WAKE},
        {"午睡", MEANS_NOTHING},      {"午休", MEANS_NOTHING},
        {"nap", MEANS_NOTHING},       {"睡", MEANS_BED},
        {"就寝", MEANS_BED},          {"sleep", MEANS_BED},
        {"sleeps", MEANS_BED},        {"sleep_time", MEANS_BED},
        {"bed", MEANS_BED},           {"bedtime", MEANS_BED},
        {"bed_time", MEANS_BED},      {"下班", MEANS_WORK_END},
        {"放学", MEANS_WORK_END},     {"收工", MEANS_WORK_END},
        {"打烊", MEANS_WORK_END},     {"关店", MEANS_WORK_END},
        {"off work", MEANS_WORK_END}, {"work ends", MEANS_WORK_END},
        {"work_end", MEANS_WORK_END}, {"finish work", MEANS_WORK_END},
        {"上班", MEANS_WORK},         {"工作", MEANS_WORK},
        {"上课", MEANS_WORK},         {"上学", MEANS_WORK},
        {"开店", MEANS_WORK},         {"work", MEANS_WORK},
        {"works", MEANS_WORK},        {"work_start", MEANS_WORK},
        {"school", MEANS_WORK},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (has_word(line, str_of(words[i].word))) return words[i].meaning;
    return MEANS_NOTHING;
}

/* --- clock times --- */

static bool is_digit(struct str text, size_t at)
{
    return at < text.len && text.at[at] >= '0' && text.at[at] <= '9';
}

static int number_at(struct str text, size_t *at)
{
    int number = 0;
    while (is_digit(text, *at)) {
        if (number < 10000) number = number * 10 + (text.at[*at] - '0');
        (*at)++;
    }
    return number;
}

static bool skip(struct str text, size_t *at, const char *what)
{
    struct str word = str_of(what);
    if (text.len - *at < word.len) return false;
    for (size_t i = 0; i < word.len; i++)
        if (lower(text.at[*at + i]) != word.at[i]) return false;
    *at += word.len;
    return true;
}

/* A time that begins with the digit at `*at`; past it afterwards. ROUTINE_UNSAID: it is none. */
static int time_at(struct str text, size_t *at)
{
    int hour = number_at(text, at), minute = 0;
    bool clock = false;
    size_t behind = *at;
    if ((skip(text, &behind, ":") || skip(text, &behind, "：")) && is_digit(text, behind)) {
        clock = true;
        minute = number_at(text, &behind);
        *at = behind;
    } else if (skip(text, at, "点") || skip(text, at, "时")) {
        clock = true;
        if (skip(text, at, "半"))
            minute = 30;
        else if (is_digit(text, *at))
            minute = number_at(text, at);
    }
    behind = *at;
    (void)skip(text, &behind, " ");
    bool am = skip(text, &behind, "am"), pm = !am && skip(text, &behind, "pm");
    if (am || pm) *at = behind;
    if ((!clock && !am && !pm) || hour > 24 || minute > 59) return ROUTINE_UNSAID;
    if (pm && hour < 12) hour += 12;
    if (am && hour == 12) hour = 0;
    return (hour * HOUR + minute) % MINUTES_PER_DAY;
}

static int times_of(struct str line, int time[TIMES_MOST])
{
    int count = 0;
    bool evening =
        has_word(line, STR("晚")) || has_word(line, STR("下午")) || has_word(line, STR("夜"));
    for (size_t at = 0; at < line.len && count < TIMES_MOST;) {
        if (!is_digit(line, at)) {
            at++;
            continue;
        }
        int found = time_at(line, &at);
        if (found == ROUTINE_UNSAID) continue;
        if (evening && found >= 4 * HOUR && found < 12 * HOUR) found += 12 * HOUR;
        time[count++] = found;
    }
    return count;
}

/* --- a routine --- */

static void set(int *to, int minutes)
{
    if (*to == ROUTINE_UNSAID) *to = minutes;
}

static void read_part(struct str part, struct routine *routine)
{
    int time[TIMES_MOST];
    int count = times_of(part, time);
    if (count == 0) return;
    switch (meaning_of(part)) {
    case MEANS_WAKE: set(&routine->wake, time[0]); break;
    case MEANS_BED:
        set(&routine->bed, time[0]);
        if (count > 1) set(&routine->wake, time[1]); /* "23:00-7:00 睡觉" */
        break;
    case MEANS_WORK:
        set(&routine->work_from, time[0]);
        if (count > 1) set(&routine->work_until, time[1]);
        break;
    case MEANS_WORK_END: set(&routine->work_until, time[count - 1]); break;
    case MEANS_NOTHING: break;
    }
}

/* The end of a part: a comma or stop of either script, or the line's. */
static size_t mark_at(struct str text, size_t at)
{
    static const char *const marks[] = {"\n", ",", ";", "，", "；", "。", "、"};
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        if (skip(text, &at, marks[i])) return strlen(marks[i]);
    return 0;
}

struct routine routine_read(struct str text)
{
    struct routine routine = {ROUTINE_UNSAID, ROUTINE_UNSAID, ROUTINE_UNSAID, ROUTINE_UNSAID};
    size_t begin = 0;
    for (size_t at = 0; at <= text.len;) {
        size_t mark = at < text.len ? mark_at(text, at) : 1;
        if (mark) {
            read_part(str_from(str_head(text, at), begin), &routine);
            begin = at + mark;
        }
        at += mark ? mark : 1;
    }
    return routine;
}

static bool is_night_fine(int wake, int bed)
{
    int sleep = (wake - bed + MINUTES_PER_DAY) % MINUTES_PER_DAY;
    return wake >= WAKE_FIRST && wake <= WAKE_LAST && (bed >= BED_FIRST || bed < BED_LAST) &&
           sleep >= SLEEP_LEAST && sleep <= SLEEP_MOST;
}

static bool is_work_fine(int from, int until, int wake, int bed)
{
    int end = bed < BED_LAST ? MINUTES_PER_DAY : bed;
    return from >= wake && until <= end && until - from >= WORK_LEAST && until - from <= WORK_MOST;
}

void routine_apply(const struct routine *routine, struct resident_draft *draft)
{
    int wake = routine->wake == ROUTINE_UNSAID ? draft->wake_min : routine->wake;
    int bed = routine->bed == ROUTINE_UNSAID ? draft->bed_min : routine->bed;
    if (is_night_fine(wake, bed)) {
        draft->wake_min = (uint16_t)wake;
        draft->bed_min = (uint16_t)bed;
    }
    int from = routine->work_from == ROUTINE_UNSAID ? draft->work_from : routine->work_from;
    int until = routine->work_until == ROUTINE_UNSAID ? draft->work_until : routine->work_until;
    bool said = routine->work_from != ROUTINE_UNSAID || routine->work_until != ROUTINE_UNSAID;
    if (!said || !is_work_fine(from, until, draft->wake_min, draft->bed_min)) return;
    draft->work_from = (uint16_t)from;
    draft->work_until = (uint16_t)until;
    if (draft->work_days == 0) draft->work_days = WEEKDAYS;
}
