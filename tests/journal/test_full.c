/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A full disk drops hits and counts them; it never kills the writer. On a tmpfs of its own, for
 * which the test must be root; skipped (77) otherwise.
 */
#include "sample.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include "sinkhole/counters.h"

#define DISK "size=15m,mode=700" /* room for three segments */
#define ROOM (UINT64_C(1) << 30)

static char dir[64];

/* Fills the disk to the last page; returns the file. */
static int fill_disk(void)
{
    char path[80], block[4096] = {1};
    int fd;

    snprintf(path, sizeof(path), "%s/ballast", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    return fd;
}

static void free_disk(int fd)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/ballast", dir);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static uint64_t read_all(struct sinkhole_drain *drain, struct sinkhole_record_id *ret_last)
{
    struct sinkhole_hit hit;
    uint64_t replies = 0;

    sinkhole_drain_refresh(drain);
    while (sinkhole_drain_next(drain, 0, SAMPLE_TIME_MS + 60000, &hit, ret_last) ==
           SINKHOLE_JOURNAL_OK)
        replies += hit.count;
    return replies;
}

static void a_full_disk_costs_counted_hits_only(void **state)
{
    (void)state;
    struct sinkhole_journal *journal;
    struct sinkhole_drain *drain;
    struct sinkhole_record_id last;
    struct sinkhole_lane *lane;
    uint32_t client = 0;
    uint64_t kept, got;
    int ballast;

    assert_int_equal(sinkhole_journal_open(dir, 1, ROOM, &journal), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_drain_open(dir, &drain), SINKHOLE_JOURNAL_OK);
    lane = sinkhole_journal_lane(journal, 0);
    ballast = fill_disk();
    while (sinkhole_lane_drops(lane) < 1000) {
        const struct sinkhole_hit hit = sample_hit(client++, SAMPLE_TIME_MS);

        (void)sinkhole_lane_append(lane, &hit);
        if (client % 1000 == 0)
            (void)sinkhole_journal_tend(journal);
    }
    assert_int_equal(sinkhole_journal_tend(journal), SINKHOLE_JOURNAL_FULL);
    kept = sinkhole_lane_recorded(lane);
    assert_true(kept > 2 * 4000000 / 120);
    assert_int_equal(kept + sinkhole_lane_drops(lane), client);
    got = read_all(drain, &last);
    assert_int_equal(got, kept);
    /* The archive finds no room either, and nothing is thrown away for that. */
    assert_int_equal(sinkhole_drain_acknowledge(drain, 0, last.segment, last.sequence),
                     SINKHOLE_JOURNAL_FULL);
    free_disk(ballast);
    assert_int_equal(sinkhole_drain_acknowledge(drain, 0, last.segment, last.sequence),
                     SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_journal_tend(journal), SINKHOLE_JOURNAL_OK);

    const struct sinkhole_hit hit = sample_hit(client, SAMPLE_TIME_MS);

    assert_true(sinkhole_lane_append(lane, &hit));
    assert_int_equal(read_all(drain, &last), 1);
    sinkhole_drain_close(drain);
    sinkhole_journal_close(journal);
}

static void opening_on_a_full_disk(void **state)
{
    (void)state;
    struct sinkhole_journal *journal = NULL;
    const struct sinkhole_hit hit = sample_hit(1, SAMPLE_TIME_MS);
    enum sinkhole_journal_status status;
    int ballast;

    /* With the folder there, opening works and drops are counted until there is room. */
    assert_int_equal(sinkhole_journal_open(dir, 1, ROOM, &journal), SINKHOLE_JOURNAL_OK);
    sinkhole_journal_close(journal);
    ballast = fill_disk();
    assert_int_equal(sinkhole_journal_open(dir, 1, ROOM, &journal), SINKHOLE_JOURNAL_OK);
    assert_false(sinkhole_lane_append(sinkhole_journal_lane(journal, 0), &hit));
    assert_int_equal(sinkhole_lane_drops(sinkhole_journal_lane(journal, 0)), 1);
    assert_null(sinkhole_counters_open(dir));
    free_disk(ballast);
    status = sinkhole_journal_tend(journal);
    assert_int_equal(status, SINKHOLE_JOURNAL_OK);
    assert_true(sinkhole_lane_append(sinkhole_journal_lane(journal, 0), &hit));
    sinkhole_journal_close(journal);
}

static int mount_disk(void **state)
{
    (void)state;
    sample_dir_make(dir);
    return mount("tmpfs", dir, "tmpfs", 0, DISK);
}

static int unmount_disk(void **state)
{
    (void)state;
    umount2(dir, MNT_DETACH);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_costs_counted_hits_only, mount_disk,
                                        unmount_disk),
        cmocka_unit_test_setup_teardown(opening_on_a_full_disk, mount_disk, unmount_disk),
    };

    /* In a mount namespace of its own, so that nothing stays behind. */
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        puts("not root, or no mounting here: skipped");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
