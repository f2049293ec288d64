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
    size_t ids_pos;
};

static bool record_read(const struct table_view *table, size_t pos, size_t end,
                        struct record *ret_record)
{
    if (end > table->text_len || pos > end || end - pos < 3)
        return false;
    ret_record->shared = table->text[pos];
    ret_record->suffix_len = table->text[pos + 1];
    if (ret_record->suffix_len > end - pos - 3)
        return false;
    ret_record->suffix = table->text + pos + 2;
    ret_record->ids_pos = pos + 2 + ret_record->suffix_len;
    return true;
}

/* Where a block's records lie; false when the offsets are impossible. */
static bool block_bounds(const struct table_view *table, uint64_t block, size_t *ret_pos,
                         size_t *ret_end)
{
    if (block >= table->block_count)
        return false;
    *ret_pos = table->blocks[block];
    *ret_end = block + 1 < table->block_count ? table->blocks[block + 1] : table->text_len;
    return *ret_pos < *ret_end && *ret_end <= table->text_len;
}

static bool varint_read(const uint8_t *text, size_t end, size_t *pos, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 40; shift += 7) {
        uint8_t octet;

        if (*pos >= end)
            return false;
        octet = text[(*pos)++];
        value |= (uint64_t)(octet & 0x7f) << shift;
        if (octet < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Past a record's ids; *pos is where the next record begins. */
static bool ids_skip(const uint8_t *text, size_t end, size_t *pos)
{
    uint64_t value;

    if (!varint_read(text, end, pos, &value))
        return false;
    if ((value & 1) == 0)
        return true;
    if (value >> 1 > SINKHOLE_INDEX_ENTRIES_MAX)
        return false;
    for (uint64_t left = value >> 1, step; left > 0; left--)
        if (!varint_read(text, end, pos, &step))
            return false;
    return true;
}

/* A single id stands as id*2; a list as count*2+1 and then the steps from 0. */
static bool ids_read(const uint8_t *text, size_t end, size_t *pos,
                     uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *ret_count)
{
    uint64_t value, id = 0, step;
    size_t count;

    if (!varint_read(text, end, pos, &value))
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
        if (!varint_read(text, end, pos, &step) || step == 0)
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

/* The last block whose first key is not above `key`; false when there is none, or it is damaged. */
static bool block_find(const struct table_view *table, const uint8_t *key, size_t key_len,
                       size_t *ret_pos, size_t *ret_end)
{
    uint64_t low = 0, high = table->block_count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        size_t pos, end;
        struct record first;

        if (!block_bounds(table, middle, &pos, &end) || !record_read(table, pos, end, &first))
            return false;
        if (key_compare(first.suffix, first.suffix_len, key, key_len) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && block_bounds(table, low - 1, ret_pos, ret_end);
}

/*
 * Scans one block without rebuilding its keys. `matched` octets of `key` agree with the record before,
 * which is below `key`: a record that shares more with it is below too, one that shares less is above.
 */
bool table_find(const struct table_view *table, const char *key, size_t key_len,
                uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *ret_count)
{
    const uint8_t *want = (const uint8_t *)key;
    size_t pos, end, matched = 0;

    if (!block_find(table, want, key_len, &pos, &end))
        return false;
    while (pos < end) {
        struct record record;
        size_t same = 0;

        if (!record_read(table, pos, end, &record) || record.shared < matched)
            return false;
        pos = record.ids_pos;
        if (record.shared == matched) {
            while (same < record.suffix_len && matched + same < key_len &&
                   record.suffix[same] == want[matched + same])
                same++;
            matched += same;
            if (same == record.suffix_len && matched == key_len)
                return ids_read(table->text, end, &pos, ret_ids, ret_count);
            if (matched == key_len)
                return false;
            if (same < record.suffix_len && record.suffix[same] > want[matched])
                return false;
        }
        if (!ids_skip(table->text, end, &pos))
            return false;
    }
    return false;
}

void table_cursor_init(struct table_cursor *cursor, const struct table_view *table)
{
    cursor->table = table;
    cursor->number = 0;
    cursor->pos = cursor->end = 0;
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
        size_t reached = cursor->end;

        if (!block_bounds(table, cursor->number / INDEX_BLOCK_NAMES, &cursor->pos, &cursor->end) ||
            cursor->pos != reached || table->text[cursor->pos] != 0)
            return false;
    }
    if (!record_read(table, cursor->pos, cursor->end, &record) || record.shared > before_len ||
        record.shared + record.suffix_len > SINKHOLE_KEY_MAX)
        return false;
    memcpy(cursor->key + record.shared, record.suffix, record.suffix_len);
    cursor->key_len = record.shared + record.suffix_len;
    cursor->pos = record.ids_pos;
    if (!ids_read(table->text, cursor->end, &cursor->pos, cursor->ids, &cursor->count))
        return false;
    cursor->number++;
    if ((cursor->number % INDEX_BLOCK_NAMES == 0 || cursor->number == table->names) &&
        cursor->pos != cursor->end)
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
