/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Appends COUNT hits of one kind; append_cost.sh counts the instructions that this takes.
 *     append_cost KIND COUNT     KIND: distinct (each client new), repeat (one client, one second),
 *                                seconds (one client, busy second after busy second)
 */
#include "sample.h"

int main(int argc, char **argv)
{
    char dir[64];
    struct sinkhole_journal *journal;
    const unsigned count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    struct sinkhole_hit hit = sample_hit(0, SAMPLE_TIME_MS);

    if (count == 0)
        return 2;
    sample_dir_make(dir);
    if (sinkhole_journal_open(dir, 1, UINT64_C(1) << 30, &journal) != SINKHOLE_JOURNAL_OK)
        return 1;
    for (unsigned i = 0; i < count; i++) {
        hit.port = (uint16_t)i;
        if (argv[1][0] == 'd')
            memcpy(hit.client.octets, &i, 4);
        if (argv[1][0] == 's')
            hit.time_ms += 300;
        if (!sinkhole_lane_append(sinkhole_journal_lane(journal, 0), &hit))
            return 1;
    }
    sinkhole_journal_close(journal);
    sample_dir_remove(dir);
    return 0;
}
