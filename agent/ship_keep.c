/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shipper's keeping of the journal: what is stored long enough goes to the archive, what is old
 * leaves it, damage and a change of journals are noticed.
 *
 * Threads: the event loop's. Memory: see ship_private.h.
 */
#include "agent/ship_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sinkhole/clock.h"

#define PURGE_EVERY_MS 3600000
#define RETIRE_AGAIN_MS 5000 /* after a failure */

/* Notes once a second how far the lane is stored. */
static void lane_mark(struct ship_lane *lane, int64_t now_ms)
{
    const struct ship_mark *last =
        &lane->marks[(lane->mark_first + lane->mark_count + SHIP_MARKS - 1) % SHIP_MARKS];

    if (lane->stored.segment == 0 || lane->mark_count == SHIP_MARKS ||
        (lane->mark_count > 0 && last->position.segment == lane->stored.segment &&
         last->position.sequence == lane->stored.sequence))
        return;
    lane->marks[(lane->mark_first + lane->mark_count) % SHIP_MARKS] =
        (struct ship_mark){now_ms, lane->stored};
    lane->mark_count++;
}

/* The newest mark that is old enough; earlier ones are forgotten, this one stays until it is
 * overtaken. */
static struct ship_position lane_safe(struct ship_lane *lane, int64_t now_ms)
{
    while (lane->mark_count > 1 &&
           now_ms - lane->marks[(lane->mark_first + 1) % SHIP_MARKS].at_ms >= SHIP_KEEP_MS) {
        lane->mark_first = (lane->mark_first + 1) % SHIP_MARKS;
        lane->mark_count--;
    }
    if (lane->mark_count == 0 || now_ms - lane->marks[lane->mark_first].at_ms < SHIP_KEEP_MS)
        return (struct ship_position){0, 0};
    return lane->marks[lane->mark_first].position;
}

void ship_keep_retire(struct sinkhole_ship *ship, int64_t now_ms)
{
    for (unsigned i = 0; i < ship->lanes && now_ms >= ship->retire_ms; i++) {
        struct ship_lane *lane = &ship->lane[(ship->retire_next + i) % ship->lanes];
        const struct ship_position safe = lane_safe(lane, now_ms);
        const uint64_t before = sinkhole_drain_first_segment(ship->drain, lane->number);
        const enum sinkhole_journal_status status =
            sinkhole_drain_acknowledge(ship->drain, lane->number, safe.segment, safe.sequence);

        if (status != SINKHOLE_JOURNAL_OK) {
            ship->retire_ms = now_ms + RETIRE_AGAIN_MS;
            ship_condition(ship, SINKHOLE_ALARM, "archive-failed", true,
                           "cannot move stored hits from %s/journal to the archive: %s (%s)",
                           ship->dir, sinkhole_journal_status_text(status), strerror(errno));
            return;
        }
        if (before != sinkhole_drain_first_segment(ship->drain, lane->number)) {
            ship_condition(ship, SINKHOLE_NOTICE, "archive-failed", false,
                           "stored hits are archived again");
            ship->retire_next = lane->number + 1;
            return;
        }
    }
}

static void ship_watch_damage(struct sinkhole_ship *ship)
{
    struct sinkhole_backlog backlog;

    sinkhole_drain_backlog(ship->drain, &backlog);
    if (backlog.damaged > ship->stats.damaged)
        ship_event(ship, SINKHOLE_ALARM, "journal-damaged",
                   "%" PRIu64 " records of the hit journal could not be read",
                   backlog.damaged - ship->stats.damaged);
    ship->stats.damaged = backlog.damaged;
}

void ship_keep_second(struct sinkhole_ship *ship, int64_t now_ms)
{
    for (unsigned i = 0; i < ship->lanes; i++)
        lane_mark(&ship->lane[i], now_ms);
    ship_watch_damage(ship);
    if (now_ms >= ship->purge_ms) {
        const uint64_t keep_ms = ship->settings->keep_hits_days * 86400000;

        ship->purge_ms = now_ms + PURGE_EVERY_MS;
        sinkhole_archive_purge(ship->dir, sinkhole_now_ms() - (int64_t)keep_ms);
    }
}

void ship_keep_identity(struct sinkhole_ship *ship)
{
    struct sinkhole_drain *drain = NULL;
    uint8_t journal[16];

    if (sinkhole_drain_open(ship->dir, &drain) != SINKHOLE_JOURNAL_OK)
        return;
    sinkhole_drain_identity(drain, journal);
    if (memcmp(journal, ship->journal, sizeof(journal)) == 0) {
        sinkhole_drain_close(drain);
        return;
    }
    agent_redis_reconnect(ship->redis); /* answers what is under way, and lanes start anew */
    sinkhole_drain_close(ship->drain);
    ship->drain = drain;
    memcpy(ship->journal, journal, sizeof(journal));
    ship->lanes = 0;
    ship_event(
        ship, SINKHOLE_ALARM, "journal-replaced",
        "%s/journal is another one than before: what the old one held and Redis has not is lost",
        ship->dir);
}
