/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The door to a table's records: every octet of the names section is reached from here, behind a
 * check of offset and length, since a right checksum does not make contents possible.
 * Threads: pure functions over immutable maps. Memory: none taken.
 */
#include "lib/index_private.h"

struct record {
    const uint8_t *suffix;
    size_t shared, suffix_len;
    const uint8_t *ids;
};

/* The record at `at`, which lies in a block that ends at `end`. */
static inline bool record_read(const uint8_t *at, const uint8_t *end, struct record *ret_record)
{
    if (end - at < 3 || at[1] > end - at - 3)
        return false;
    ret_record->shared = at[0];
    ret_record->suffix_len = at[1];
    ret_record->suffix = at + 2;
    ret_record->ids = at + 2 + at[1];
    return true;
}

/* Where a block's records lie; false when the offsets are impossible. */
static inline bool block_bounds(const struct table_view *table, uint64_t block,
                                const uint8_t **ret_at, const uint8_t **ret_end)
{
    uint32_t begin, end;

    if (block >= table->block_count)
        return false;
    begin = table->blocks[block];
    end = block + 1 < table->block_count ? table->blocks[block + 1] : table->text_len;
    *ret_at = table->text + begin;
    *ret_end = table->text + end;
    return begin < end && end <= table->text_len;
}

static bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 40; shift += 7) {
        uint8_t octet;

        if (*at >= end)
            return false;
        octet = *(*at)++;
        value |= (uint64_t)(octet & 0x7f) << shift;
        if (octet < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Past a record's ids; *at is then where the next record begins. */
static inline bool ids_skip(const uint8_t **at, const uint8_t *end)
{
    uint64_t value;

    if (*at < end && (**at & 0x81) == 0) { /* a single small id */
        (*at)++;
        return true;
    }
    if (!varint_read(at, end, &value))
        return false;
    if ((value & 1) == 0)
        return true;
    if (value >> 1 > SINKHOLE_INDEX_ENTRIES_MAX)
        return false;
    for (uint64_t left = value >> 1, step; left > 0; left--)
        if (!varint_read(at, end, &step))
            return false;
    return true;
}

/* A single id stands as id*2; a list as count*2+1 and then the steps from 0. */
static bool ids_read(const uint8_t **at, const uint8_t *end,
                     uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *ret_count)
{
    uint64_t value, id = 0, step;
    size_t count;

    if (!varint_read(at, end, &value))
        return false;
    if ((value & 1) == 0) {
        if (value == 0 || value >> 1 > UINT32_MAX)
            return false;
        ret_ids[0] = (uint32_t)(value >> 1);
        *ret_count = 1;
        return true;
    }
    if (value >> 1 > SINKHOLE_INDEX_ENTRIES_MAX)
        return false;
    count = (size_t)(value >> 1);
    for (size_t i = 0; i < count; i++) {
        if (!varint_read(at, end, &step) || step == 0)
            return false;
        id += step;
        if (id > UINT32_MAX)
            return false;
        ret_ids[i] = (uint32_t)id;
    }
    *ret_count = count;
    return true;
}

static int key_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/*
 * The last block of [low, high) whose first key is not above `key`; false when there is none, or it
 * is damaged. high <= block_count; every block begins inside the text (checked at open).
 */
static bool block_find(const struct table_view *table, uint32_t low, uint32_t high,
                       const uint8_t *key, size_t key_len, uint32_t *ret_block)
{
    uint32_t first = low;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct record record;

        if (!record_read(table->text + table->blocks[middle], table->text + table->text_len,
                         &record))
            return false;
        if (key_compare(record.suffix, record.suffix_len, key, key_len) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_block = low - 1;
    return low > first;
}

/*
 * Scans one block without rebuilding its keys. `matched` octets of `want` agree with the record
 * before, which is below it: a record that shares more with it is below too, one that shares less
 * is above.
 */
static bool block_scan(const struct table_view *table, uint32_t block, const uint8_t *want,
                       size_t want_len, uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX],
                       size_t *ret_count)
{
    const uint8_t *at, *end;
    size_t matched = 0;

    if (!block_bounds(table, block, &at, &end))
        return false;
    for (struct record record; record_read(at, end, &record);) {
        const uint8_t *rest = record.suffix, *rest_end = rest + record.suffix_len;

        at = record.ids;
        if (record.shared < matched)
            return false;
        if (record.shared == matched) {
            while (rest < rest_end && matched < want_len && *rest == want[matched]) {
                rest++;
                matched++;
            }
            if (rest == rest_end && matched == want_len)
                return ids_read(&at, end, ret_ids, ret_count);
            if (matched == want_len || (rest < rest_end && want[matched] < *rest))
                return false;
        }
        if (!ids_skip(&at, end))
            return false;
    }
    return false;
}

bool table_find(const struct table_view *table, const char *key, size_t key_len,
                uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *ret_count)
{
    const uint8_t *want = (const uint8_t *)key;
    uint32_t block;

    return block_find(table, 0, table->block_count, want, key_len, &block) &&
           block_scan(table, block, want, key_len, ret_ids, ret_count);
}

bool table_find_hinted(const struct table_view *table, uint16_t hint,
                       const struct sinkhole_key *key, uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX],
                       size_t *ret_count)
{
    const uint8_t *want = (const uint8_t *)key->text;
    uint64_t low = (uint64_t)hint << table->hint_shift;
    uint64_t high = ((uint64_t)hint + 1) << table->hint_shift;
    uint32_t block;

    if (high > table->block_count)
        high = table->block_count;
    return low < high && block_find(table, (uint32_t)low, (uint32_t)high, want, key->len, &block) &&
           block_scan(table, block, want, key->len, ret_ids, ret_count);
}

void table_cursor_init(struct table_cursor *cursor, const struct table_view *table)
{
    cursor->table = table;
    cursor->number = 0;
    cursor->at = cursor->end = table->text;
    cursor->key_len = 0;
    cursor->count = 0;
    cursor->damaged = false;
}

static bool cursor_step(struct table_cursor *cursor)
{
    const struct table_view *table = cursor->table;
    struct sinkhole_name name;
    struct record record;
    char before[SINKHOLE_KEY_MAX];
    size_t before_len = cursor->key_len;

    memcpy(before, cursor->key, before_len);
    if (cursor->number % INDEX_BLOCK_NAMES == 0) {
        const uint8_t *reached = cursor->end;

        if (!block_bounds(table, cursor->number / INDEX_BLOCK_NAMES, &cursor->at, &cursor->end) ||
            cursor->at != reached || *cursor->at != 0)
            return false;
    }
    if (!record_read(cursor->at, cursor->end, &record) || record.shared > before_len ||
        record.shared + record.suffix_len > SINKHOLE_KEY_MAX)
        return false;
    memcpy(cursor->key + record.shared, record.suffix, record.suffix_len);
    cursor->key_len = record.shared + record.suffix_len;
    cursor->at = record.ids;
    if (!ids_read(&cursor->at, cursor->end, cursor->ids, &cursor->count))
        return false;
    cursor->number++;
    if ((cursor->number % INDEX_BLOCK_NAMES == 0 || cursor->number == table->names) &&
        cursor->at != cursor->end)
        return false;
    return key_compare((const uint8_t *)before, before_len, (const uint8_t *)cursor->key,
                       cursor->key_len) < 0 &&
           sinkhole_name_from_key(cursor->key, cursor->key_len, &name) == SINKHOLE_NAME_OK &&
           name.labels > 1;
}

bool table_cursor_next(struct table_cursor *cursor)
{
    if (cursor->damaged || cursor->number >= cursor->table->names)
        return false;
    cursor->damaged = !cursor_step(cursor);
    return !cursor->damaged;
}
