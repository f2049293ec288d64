/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Build-ids: from a file, from the running program, and against the module's list.
 *
 * Threads: pure functions. Memory: a file is mapped for the time of the call.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* dl_iterate_phdr */
#endif
#include "sinkhole/abi.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t round_up_4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

bool sinkhole_abi_note_find(const uint8_t *notes, size_t len, const char *name, uint32_t type,
                            const uint8_t **ret_desc, size_t *ret_desc_len)
{
    size_t name_len = strlen(name) + 1;
    size_t pos = 0;

    while (len - pos >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr head;
        memcpy(&head, notes + pos, sizeof(head));
        pos += sizeof(head);
        size_t name_room = round_up_4(head.n_namesz);
        if (name_room > len - pos)
            return false;
        const uint8_t *found_name = notes + pos;
        pos += name_room;
        if (head.n_descsz > len - pos)
            return false;
        if (head.n_type == type && head.n_namesz == name_len &&
            memcmp(found_name, name, name_len) == 0) {
            *ret_desc = notes + pos;
            *ret_desc_len = head.n_descsz;
            return true;
        }
        size_t desc_room = round_up_4(head.n_descsz);
        if (desc_room > len - pos)
            return false;
        pos += desc_room;
    }
    return false;
}

/* The one door into a mapped file. */
static const uint8_t *file_at(const uint8_t *file, size_t size, uint64_t off, uint64_t len)
{
    return off <= size && len <= size - off ? file + off : NULL;
}

static enum sinkhole_abi_status map_note_find(const uint8_t *file, size_t size, const char *name,
                                              uint32_t type, const uint8_t **ret_desc,
                                              size_t *ret_desc_len)
{
    Elf64_Ehdr head;
    const uint8_t *at = file_at(file, size, 0, sizeof(head));

    if (at == NULL)
        return SINKHOLE_ABI_NOT_ELF;
    memcpy(&head, at, sizeof(head));
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_phentsize != sizeof(Elf64_Phdr))
        return SINKHOLE_ABI_NOT_ELF;
    for (unsigned i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr part;
        at = head.e_phoff > size
                 ? NULL
                 : file_at(file, size, head.e_phoff + i * sizeof(part), sizeof(part));
        if (at == NULL)
            return SINKHOLE_ABI_NOT_ELF;
        memcpy(&part, at, sizeof(part));
        if (part.p_type != PT_NOTE)
            continue;
        at = file_at(file, size, part.p_offset, part.p_filesz);
        if (at == NULL)
            return SINKHOLE_ABI_NOT_ELF;
        if (sinkhole_abi_note_find(at, (size_t)part.p_filesz, name, type, ret_desc, ret_desc_len))
            return SINKHOLE_ABI_OK;
    }
    return SINKHOLE_ABI_NO_NOTE;
}

/* Copies the note's description, at most `room` octets of it. */
static enum sinkhole_abi_status file_note_copy(const char *path, const char *name, uint32_t type,
                                               uint8_t *buf, size_t room, size_t *ret_len)
{
    enum sinkhole_abi_status status = SINKHOLE_ABI_UNREADABLE;
    void *map = MAP_FAILED;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0)
        goto out;
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(Elf64_Ehdr)) {
        status = SINKHOLE_ABI_NOT_ELF;
        goto out;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        goto out;
    const uint8_t *desc;
    size_t len;
    status = map_note_find(map, (size_t)st.st_size, name, type, &desc, &len);
    if (status == SINKHOLE_ABI_OK && len > room)
        status = SINKHOLE_ABI_NO_NOTE;
    if (status == SINKHOLE_ABI_OK) {
        memcpy(buf, desc, len);
        *ret_len = len;
    }
out:
    if (map != MAP_FAILED)
        (void)munmap(map, (size_t)st.st_size);
    if (fd >= 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
    }
    return status;
}

enum sinkhole_abi_status sinkhole_abi_file_id(const char *path, struct sinkhole_abi_id *ret_id)
{
    struct sinkhole_abi_id id;
    size_t len = 0;
    enum sinkhole_abi_status status =
        file_note_copy(path, "GNU", NT_GNU_BUILD_ID, id.octets, sizeof(id.octets), &len);

    if (status == SINKHOLE_ABI_OK) {
        id.len = (uint8_t)len;
        *ret_id = id;
    }
    return status;
}

enum sinkhole_abi_status sinkhole_abi_file_list(const char *path,
                                                char ret_text[SINKHOLE_ABI_TEXT_MAX])
{
    size_t len = 0;
    enum sinkhole_abi_status status =
        file_note_copy(path, SINKHOLE_ABI_NOTE_NAME, SINKHOLE_ABI_NOTE_TYPE, (uint8_t *)ret_text,
                       SINKHOLE_ABI_TEXT_MAX - 1, &len);

    ret_text[status == SINKHOLE_ABI_OK ? len : 0] = '\0';
    return status;
}

static int first_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct sinkhole_abi_id *id = arg;

    (void)size;
    id->len = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        const uint8_t *desc;
        size_t len;

        if (part->p_type != PT_NOTE)
            continue;
        if (sinkhole_abi_note_find((const uint8_t *)(info->dlpi_addr + part->p_vaddr),
                                   (size_t)part->p_memsz, "GNU", NT_GNU_BUILD_ID, &desc, &len) &&
            len <= sizeof(id->octets)) {
            memcpy(id->octets, desc, len);
            id->len = (uint8_t)len;
            break;
        }
    }
    return 1; /* the first object is the program: enough */
}

bool sinkhole_abi_running_id(struct sinkhole_abi_id *ret_id)
{
    ret_id->len = 0;
    (void)dl_iterate_phdr(first_object, ret_id);
    return ret_id->len > 0;
}

void sinkhole_abi_id_to_text(const struct sinkhole_abi_id *id, char ret_hex[SINKHOLE_ABI_HEX_MAX])
{
    static const char digits[] = "0123456789abcdef";

    if (id->len == 0 || id->len > SINKHOLE_ABI_ID_MAX) {
        memcpy(ret_hex, "none", 5);
        return;
    }
    for (unsigned i = 0; i < id->len; i++) {
        ret_hex[2 * i] = digits[id->octets[i] >> 4];
        ret_hex[2 * i + 1] = digits[id->octets[i] & 15];
    }
    ret_hex[2 * id->len] = '\0';
}

bool sinkhole_abi_list_has(const char *list, const struct sinkhole_abi_id *id)
{
    char hex[SINKHOLE_ABI_HEX_MAX];

    if (id->len == 0)
        return false;
    sinkhole_abi_id_to_text(id, hex);
    size_t hex_len = strlen(hex);
    for (const char *line = list; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (len == 3 + hex_len && memcmp(line, "id ", 3) == 0 &&
            memcmp(line + 3, hex, hex_len) == 0)
            return true;
        line += len + (line[len] == '\n');
    }
    return false;
}
