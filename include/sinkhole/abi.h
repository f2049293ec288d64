/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which Unbound may load this module: the build-ids noted when it was built.
 *
 * Unbound's structures change with the release, with configure's flags and with distribution
 * patches under one version string, so a module is good for the very binaries it was built beside.
 * Their build-ids stand in an ELF note of the module ("Sinkhole", type 1; `readelf -n sinkhole.so`
 * shows it).
 *
 * Threads: pure functions. Memory: none taken.
 */
#ifndef SINKHOLE_ABI_H
#define SINKHOLE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINKHOLE_ABI_NOTE_NAME "Sinkhole"
#define SINKHOLE_ABI_NOTE_TYPE 1u
#define SINKHOLE_ABI_ID_MAX 64     /* octets of a build-id; SHA-1 gives 20 */
#define SINKHOLE_ABI_TEXT_MAX 4096 /* the note's text: "version ...\n", then "id <hex>\n" each */
#define SINKHOLE_ABI_HEX_MAX (2 * SINKHOLE_ABI_ID_MAX + 1)

enum sinkhole_abi_status {
    SINKHOLE_ABI_OK = 0,
    SINKHOLE_ABI_UNREADABLE, /* errno is set */
    SINKHOLE_ABI_NOT_ELF,    /* no 64-bit little-endian ELF file, or a damaged one */
    SINKHOLE_ABI_NO_NOTE,    /* the note looked for is not there */
};

struct sinkhole_abi_id {
    uint8_t len; /* 0: unknown */
    uint8_t octets[SINKHOLE_ABI_ID_MAX];
};

/* Looks through the notes of one PT_NOTE segment. False: not there, or damaged before it. */
bool sinkhole_abi_note_find(const uint8_t *notes, size_t len, const char *name, uint32_t type,
                            const uint8_t **ret_desc, size_t *ret_desc_len);
/* Build-id of an ELF file. */
enum sinkhole_abi_status sinkhole_abi_file_id(const char *path, struct sinkhole_abi_id *ret_id);
/* The module's list of accepted ids, as text, from its file (it is not loaded). */
enum sinkhole_abi_status sinkhole_abi_file_list(const char *path,
                                                char ret_text[SINKHOLE_ABI_TEXT_MAX]);
/* Build-id of the program that runs now (first object of dl_iterate_phdr). False: it has none. */
bool sinkhole_abi_running_id(struct sinkhole_abi_id *ret_id);
/* Lower-case hex, terminated; "none" for an unknown id. */
void sinkhole_abi_id_to_text(const struct sinkhole_abi_id *id, char ret_hex[SINKHOLE_ABI_HEX_MAX]);
/* True when the list (text as in the note) has a line "id <hex>" for it. */
bool sinkhole_abi_list_has(const char *list, const struct sinkhole_abi_id *id);

#endif
