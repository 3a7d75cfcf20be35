/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/town.c: what a simulated town costs, and its agenda.
 *
 * `town run` founds towns out of a seed and lets them live from 08:00; the first
 * hours are not measured. Small towns are founded anew, each with its own seed,
 * until there is enough to measure. A decision is one resident looking round and
 * choosing what to do next, and all that follows from it.
 *
 * `town agenda` is the hold model (Jones, "An empirical comparison of
 * priority-queue and event-set implementations", CACM 29(4), 1986): as many
 * items stay pending, the next one is taken out and one is put in. Lengths are
 * those of residents' deeds: most a few minutes to two hours, some a night. With
 * several agendas each goes on for some minutes before the next one does: one in a town
 * with an audience, fifteen in a large one (town_settings_large()). Then
 * plans that are made and taken back. The reference is a binary heap with a
 * table of positions, which is what one would write first; both do the same.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "support/measure.h"
#include "support/options.h"
#include "town/agenda.h"
#include "town/populate.h"
#include "townhall/crew.h"

#include <unistd.h>

static const char help[] =
    "Usage: town run [--residents N] [--threads T] [--warm-hours H] [--hours H] [--seconds S]\n"
    "       town agenda [--pending N] [--agendas K] [--minutes M] [--seconds S]\n"
    "What a simulated town costs, and its agenda.\n"
    "\n"
    "run     N residents (1000000) on T threads (2): H simulated hours (3) after some\n"
    "        from 08:00 on (1), anew until S seconds (1) of processor time are measured\n"
    "agenda  N items (1000000) in each of K agendas (1), each of which goes M minutes (1) on\n"
    "        before the next one does, S seconds (1) for each of four measurements\n"
    "Each prints one line of JSON.\n";

static struct json_out begin_line(struct buf *line)
{
    buf_init(line, 4096);
    struct json_out out = json_begin(line);
    json_open(&out, NULL, '{');
    return out;
}

static void end_line(struct json_out *out, struct buf *line)
{
    json_close(out, '}');
    printf("%s\n", line->at);
    buf_release(line);
}

/* --- towns --- */

struct run {
    uint64_t residents, threads, warm_hours, hours;
    double seconds;
    uint64_t decisions, towns, bytes;
    int64_t cpu_ns, wall_us, rss_bytes;
};

static int64_t rss_bytes(void)
{
    struct pids self = {.at = {getpid()}, .len = 1};
    struct memory_use memory;
    struct why why;
    if (memory_read(&self, &memory, &why) != OK) give_up("town", "%s", why.text);
    return memory.rss_bytes;
}

static void run_one(struct run *run, const struct town_runner *runner)
{
    struct town_settings settings = town_settings_large(run->towns + 1);
    int64_t rss_before = run->towns == 0 ? rss_bytes() : 0;
    struct town *town = town_found(&settings, (uint32_t)run->residents);
    int32_t warm = TOWN_START_MIN + (int32_t)run->warm_hours * MINUTES_PER_HOUR;
    town_advance(town, warm, runner);
    uint64_t decided = town_tally(town).decisions;
    int64_t cpu_ns = cpu_self_ns(), wall_us = clock_mono_us();
    town_advance(town, warm + (int32_t)run->hours * MINUTES_PER_HOUR, runner);
    run->cpu_ns += cpu_self_ns() - cpu_ns;
    run->wall_us += clock_mono_us() - wall_us;
    run->decisions += town_tally(town).decisions - decided;
    if (run->towns++ == 0) {
        run->rss_bytes = rss_bytes() - rss_before;
        run->bytes = town_bytes(town);
    }
    town_free(town);
}

static void run_towns(int argc, char **argv)
{
    struct run run = {
        .residents = 1000000, .threads = 2, .warm_hours = 1, .hours = 3, .seconds = 1};
    const struct option_row rows[] = {
        ROW_COUNT("residents", &run.residents, 1, TOWN_RESIDENTS_MAX),
        ROW_COUNT("threads", &run.threads, 1, CREW_THREADS_MAX),
        ROW_COUNT("warm-hours", &run.warm_hours, 0, 10000),
        ROW_COUNT("hours", &run.hours, 1, 10000),
        ROW_DECIMAL("seconds", &run.seconds, 0, 3600),
    };
    options_read("town", help, rows, COUNT_OF(rows), argc, argv);
    struct why why;
    struct crew *crew;
    if (crew_open((uint32_t)run.threads, &crew, &why) != OK) give_up("town", "%s", why.text);
    struct town_runner runner = crew_runner(crew);
    do run_one(&run, run.threads > 1 ? &runner : NULL);
    while ((double)run.cpu_ns < run.seconds * 1e9);
    crew_close(crew);

    struct buf line;
    struct json_out out = begin_line(&line);
    double days = (double)(run.towns * run.hours) / 24, hours = (double)run.wall_us / 3.6e9;
    json_put_u64(&out, "residents", run.residents);
    json_put_u64(&out, "threads", run.threads);
    json_put_u64(&out, "towns", run.towns);
    json_put_u64(&out, "decisions", run.decisions);
    put_ratio(&out, "cpu_ns_per_decision", (double)run.cpu_ns, (double)run.decisions);
    put_ratio(&out, "days_per_hour", days, hours);
    put_ratio(&out, "rss_bytes_each", (double)run.rss_bytes, (double)run.residents);
    put_ratio(&out, "bytes_each", (double)run.bytes, (double)run.residents);
    end_line(&out, &line);
}

/* --- the heap that one would write first --- */

struct node {
    int32_t at;
    uint32_t seq, who, ticket;
};

struct heap {
    struct node *entry; /* owned; from 0 */
    uint32_t *where;    /* owned; by ticket: its entry */
    uint32_t *free;     /* owned; tickets nobody has */
    uint32_t count, frees, seq;
};

static bool before(const struct node *a, const struct node *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void heap_init(struct heap *heap, uint32_t most)
{
    *heap = (struct heap){.entry = mem_alloc(sizeof(struct node) * most),
                          .where = mem_alloc(sizeof(uint32_t) * most),
                          .free = mem_alloc(sizeof(uint32_t) * most)};
    while (heap->frees < most) {
        heap->free[heap->frees] = most - 1 - heap->frees;
        heap->frees++;
    }
}

static void heap_release(struct heap *heap)
{
    mem_free(heap->entry);
    mem_free(heap->where);
    mem_free(heap->free);
}

static void heap_put(struct heap *heap, uint32_t at, struct node entry)
{
    heap->entry[at] = entry;
    heap->where[entry.ticket] = at;
}

static void heap_up(struct heap *heap, uint32_t at, struct node entry)
{
    while (at > 0 && before(&entry, &heap->entry[(at - 1) / 2])) {
        heap_put(heap, at, heap->entry[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(heap, at, entry);
}

static void heap_down(struct heap *heap, uint32_t at, struct node entry)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && before(&heap->entry[child + 1], &heap->entry[child]))
            child++;
        if (!before(&heap->entry[child], &entry)) break;
        heap_put(heap, at, heap->entry[child]);
        at = child;
    }
    heap_put(heap, at, entry);
}

static uint32_t heap_add(struct heap *heap, int32_t at, uint32_t who)
{
    uint32_t ticket = heap->free[--heap->frees];
    heap_up(heap, heap->count++, (struct node){at, ++heap->seq, who, ticket});
    return ticket;
}

static void heap_take(struct heap *heap, uint32_t at)
{
    heap->free[heap->frees++] = heap->entry[at].ticket;
    struct node last = heap->entry[--heap->count];
    if (at == heap->count) return;
    if (at > 0 && before(&last, &heap->entry[(at - 1) / 2]))
        heap_up(heap, at, last);
    else
        heap_down(heap, at, last);
}

/* --- the agenda --- */

enum { LENGTHS = 1 << 16, BATCH = 256 };

struct hold {
    uint64_t pending, agendas, minutes;
    double seconds;
    uint16_t length[LENGTHS]; /* drawn beforehand, so that drawing is not measured */
    uint32_t drawn;
    struct rng rng;
};

static uint16_t next_length(struct hold *hold)
{
    return hold->length[hold->drawn++ % LENGTHS];
}

static void draw_lengths(struct hold *hold)
{
    rng_init(&hold->rng, 1, 1);
    for (int i = 0; i < LENGTHS; i++) {
        uint32_t kind = rng_below(&hold->rng, 100);
        hold->length[i] = (uint16_t)(kind < 60   ? 2 + rng_below(&hold->rng, 20)
                                     : kind < 97 ? 20 + rng_below(&hold->rng, 100)
                                                 : 420 + rng_below(&hold->rng, 120));
    }
}

static uint32_t agenda_plan(struct hold *hold, struct agenda *agenda, uint32_t who)
{
    struct item item = {.at = agenda_now(agenda),
                        .minutes = next_length(hold),
                        .kind = 1,
                        .priority = PRIORITY_NORMAL,
                        .status = ITEM_IN_PROGRESS,
                        .who = who};
    return agenda_add(agenda, &item);
}

/* Operations in a second of processor time: each pop and each add is one. */
static double rate(uint64_t operations, int64_t began_ns)
{
    return (double)operations * 1e9 / (double)(cpu_self_ns() - began_ns);
}

static bool is_over(const struct hold *hold, int64_t began_ns)
{
    return (double)(cpu_self_ns() - began_ns) > hold->seconds * 1e9;
}

/* Everything up to and including `minute`. */
static uint64_t agenda_minutes(struct hold *hold, struct agenda **agendas, int32_t minute)
{
    uint64_t operations = 0;
    for (uint64_t i = 0; i < hold->agendas; i++) {
        struct item item;
        while (agenda_pop(agendas[i], minute, &item)) {
            agenda_plan(hold, agendas[i], item.who);
            operations += 2;
        }
    }
    return operations;
}

/* Plans beside what one does, as messages are; made in a batch, taken back in another order. */
static uint64_t agenda_cancels(struct hold *hold, struct agenda **agendas)
{
    uint32_t who[BATCH], seq[BATCH];
    struct agenda *agenda = agendas[rng_below(&hold->rng, (uint32_t)hold->agendas)];
    for (uint32_t i = 0; i < BATCH; i++) {
        who[i] = rng_below(&hold->rng, (uint32_t)hold->pending);
        struct item item = {.at = agenda_now(agenda) + next_length(hold),
                            .kind = 2,
                            .priority = PRIORITY_HIGH,
                            .who = who[i]};
        seq[i] = agenda_add(agenda, &item);
    }
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t at = (i * 97 + 31) % BATCH;
        struct item item;
        if (!agenda_cancel(agenda, who[at], seq[at], &item)) give_up("town", "a plan was lost");
    }
    return 2 * BATCH;
}

/* Long enough that lengths have mixed; half a day. */
enum { SETTLE_MINUTES = 720 };

static void measure_agenda(struct hold *hold, struct json_out *out)
{
    struct agenda **agendas = mem_alloc(sizeof(*agendas) * hold->agendas);
    for (uint64_t i = 0; i < hold->agendas; i++) {
        agendas[i] = agenda_new((uint32_t)hold->pending, 0);
        for (uint32_t who = 0; who < hold->pending; who++) agenda_plan(hold, agendas[i], who);
    }
    int32_t minute = 0;
    while (minute < SETTLE_MINUTES) agenda_minutes(hold, agendas, ++minute);
    uint64_t operations = 0;
    int64_t began_ns = cpu_self_ns();
    do operations += agenda_minutes(hold, agendas, minute += (int32_t)hold->minutes);
    while (!is_over(hold, began_ns));
    json_put_double(out, "hold_per_second", rate(operations, began_ns));

    operations = 0;
    began_ns = cpu_self_ns();
    do operations += agenda_cancels(hold, agendas);
    while (!is_over(hold, began_ns));
    json_put_double(out, "cancel_per_second", rate(operations, began_ns));
    size_t bytes = 0;
    for (uint64_t i = 0; i < hold->agendas; i++) {
        if (agenda_count(agendas[i]) != hold->pending) give_up("town", "items were lost");
        bytes += agenda_bytes(agendas[i]);
        agenda_free(agendas[i]);
    }
    put_ratio(out, "bytes_each", (double)bytes, (double)(hold->pending * hold->agendas));
    mem_free(agendas);
}

static uint64_t heap_minutes(struct hold *hold, struct heap *heaps, int32_t minute)
{
    uint64_t operations = 0;
    for (uint64_t i = 0; i < hold->agendas; i++) {
        struct heap *heap = &heaps[i];
        while (heap->entry[0].at <= minute) {
            struct node first = heap->entry[0];
            heap_take(heap, 0);
            heap_add(heap, first.at + next_length(hold), first.who);
            operations += 2;
        }
    }
    return operations;
}

static uint64_t heap_cancels(struct hold *hold, struct heap *heaps, int32_t minute)
{
    uint32_t ticket[BATCH];
    struct heap *heap = &heaps[rng_below(&hold->rng, (uint32_t)hold->agendas)];
    for (uint32_t i = 0; i < BATCH; i++)
        ticket[i] = heap_add(heap, minute + next_length(hold),
                             rng_below(&hold->rng, (uint32_t)hold->pending));
    for (uint32_t i = 0; i < BATCH; i++)
        heap_take(heap, heap->where[ticket[(i * 97 + 31) % BATCH]]);
    return 2 * BATCH;
}

static void measure_heap(struct hold *hold, struct json_out *out)
{
    struct heap *heaps = mem_alloc(sizeof(*heaps) * hold->agendas);
    for (uint64_t i = 0; i < hold->agendas; i++) {
        heap_init(&heaps[i], (uint32_t)hold->pending + BATCH);
        for (uint32_t who = 0; who < hold->pending; who++)
            heap_add(&heaps[i], next_length(hold), who);
    }
    int32_t minute = 0;
    while (minute < SETTLE_MINUTES) heap_minutes(hold, heaps, ++minute);
    uint64_t operations = 0;
    int64_t began_ns = cpu_self_ns();
    do operations += heap_minutes(hold, heaps, minute += (int32_t)hold->minutes);
    while (!is_over(hold, began_ns));
    json_put_double(out, "heap_hold_per_second", rate(operations, began_ns));
    operations = 0;
    began_ns = cpu_self_ns();
    do operations += heap_cancels(hold, heaps, minute);
    while (!is_over(hold, began_ns));
    json_put_double(out, "heap_cancel_per_second", rate(operations, began_ns));
    for (uint64_t i = 0; i < hold->agendas; i++) heap_release(&heaps[i]);
    mem_free(heaps);
}

static void run_agenda(int argc, char **argv)
{
    static struct hold hold = {.pending = 1000000, .agendas = 1, .minutes = 1, .seconds = 1};
    const struct option_row rows[] = {
        ROW_COUNT("pending", &hold.pending, 1, 10000000),
        ROW_COUNT("agendas", &hold.agendas, 1, 100000),
        ROW_COUNT("minutes", &hold.minutes, 1, 1440),
        ROW_DECIMAL("seconds", &hold.seconds, 0.001, 3600),
    };
    options_read("town", help, rows, COUNT_OF(rows), argc, argv);
    draw_lengths(&hold);
    struct buf line;
    struct json_out out = begin_line(&line);
    json_put_u64(&out, "pending", hold.pending);
    json_put_u64(&out, "agendas", hold.agendas);
    json_put_u64(&out, "minutes", hold.minutes);
    measure_agenda(&hold, &out);
    measure_heap(&hold, &out);
    end_line(&out, &line);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        run_towns(argc - 1, argv + 1);
    else if (argc > 1 && strcmp(argv[1], "agenda") == 0)
        run_agenda(argc - 1, argv + 1);
    else if (argc > 1 && strcmp(argv[1], "--help") == 0)
        fputs(help, stdout);
    else
        give_up("town", "say run or agenda; --help says more");
    return 0;
}
