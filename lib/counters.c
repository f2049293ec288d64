/* SPDX-License-Identifier: BSD-3-Clause */
/* The module's counters in a mapped file. Threads and memory: see counters.h. */
#include "sinkhole/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTERS_MAGIC "SHCNT\r\n\x1a"
#define COUNTERS_VERSION 1u
#define FIRST_GAUGE SINKHOLE_COUNT_GENERATION

struct counters_file {
    uint8_t magic[8];
    uint32_t version;
    uint32_t rows;
    uint32_t slots;
    uint8_t unused[44];
    _Atomic uint64_t row[SINKHOLE_COUNTER_ROWS][SINKHOLE_COUNTER_SLOTS];
};
_Static_assert(offsetof(struct counters_file, row) == 64, "a row starts on a cache line");
_Static_assert(SINKHOLE_COUNTER_COUNT <= SINKHOLE_COUNTER_SLOTS, "a row holds every counter");

struct sinkhole_counters {
    struct counters_file *file;
};

static const struct {
    const char *name, *help;
} texts[] = {
#define X(id, name, help) {name, help},
    SINKHOLE_COUNTERS(X)
#undef X
};

static bool file_valid(const struct counters_file *file)
{
    return memcmp(file->magic, COUNTERS_MAGIC, sizeof(file->magic)) == 0 &&
           file->version == COUNTERS_VERSION && file->rows == SINKHOLE_COUNTER_ROWS &&
           file->slots == SINKHOLE_COUNTER_SLOTS;
}

/* Maps DIR/counters; NULL with errno (EBADMSG: of another size or version). */
static struct counters_file *file_map(int dir_fd, bool write)
{
    const int fd =
        openat(dir_fd, "counters", (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
    const int protection = write ? PROT_READ | PROT_WRITE : PROT_READ;
    struct counters_file *file = MAP_FAILED;
    struct stat st;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0) {
        errno = EBADMSG;
        if (st.st_size == (off_t)sizeof(*file))
            file = mmap(NULL, sizeof(*file), protection, MAP_SHARED, fd, 0);
    }
    if (file != MAP_FAILED && !file_valid(file)) {
        munmap(file, sizeof(*file));
        file = MAP_FAILED;
        errno = EBADMSG;
    }

    const int saved = errno;

    close(fd);
    errno = saved;
    return file == MAP_FAILED ? NULL : file;
}

/* Makes a fresh file beside it and renames it into place. 0, or -1 with errno. */
static int file_make(int dir_fd)
{
    struct counters_file head = {
        .magic = COUNTERS_MAGIC,
        .version = COUNTERS_VERSION,
        .rows = SINKHOLE_COUNTER_ROWS,
        .slots = SINKHOLE_COUNTER_SLOTS,
    };
    const int fd = openat(dir_fd, "counters.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    int result = -1;

    if (fd < 0)
        return -1;
    (void)fchmod(fd, 0640);
    if (write(fd, &head, sizeof(head)) == (ssize_t)sizeof(head) &&
        renameat(dir_fd, "counters.new", dir_fd, "counters") == 0)
        result = 0;

    const int saved = errno;

    close(fd);
    if (result != 0)
        unlinkat(dir_fd, "counters.new", 0);
    errno = saved;
    return result;
}

static struct sinkhole_counters *counters_open(const char *dir, bool write)
{
    struct sinkhole_counters *counters = calloc(1, sizeof(*counters));
    const int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (counters == NULL || dir_fd < 0)
        goto out;
    counters->file = file_map(dir_fd, write);
    if (counters->file == NULL && write && (errno == ENOENT || errno == EBADMSG)) {
        if (errno == EBADMSG)
            (void)renameat(dir_fd, "counters", dir_fd, "counters.old");
        if (file_make(dir_fd) == 0)
            counters->file = file_map(dir_fd, write);
    }
out:;
    const int saved = errno;

    if (dir_fd >= 0)
        close(dir_fd);
    if (counters != NULL && counters->file == NULL) {
        free(counters);
        counters = NULL;
    }
    errno = saved;
    return counters;
}

struct sinkhole_counters *sinkhole_counters_open(const char *dir)
{
    return counters_open(dir, true);
}

struct sinkhole_counters *sinkhole_counters_open_read(const char *dir)
{
    return counters_open(dir, false);
}

void sinkhole_counters_close(struct sinkhole_counters *counters)
{
    if (counters == NULL)
        return;
    munmap(counters->file, sizeof(*counters->file));
    free(counters);
}

_Atomic uint64_t *sinkhole_counters_row(struct sinkhole_counters *counters, unsigned row)
{
    return row < SINKHOLE_COUNTER_ROWS ? counters->file->row[row] : NULL;
}

uint64_t sinkhole_counters_get(const struct sinkhole_counters *counters, enum sinkhole_counter id)
{
    uint64_t sum = 0;

    if ((unsigned)id >= SINKHOLE_COUNTER_COUNT)
        return 0;
    for (unsigned row = id >= FIRST_GAUGE ? SINKHOLE_COUNTER_ROWS - 1 : 0;
         row < SINKHOLE_COUNTER_ROWS; row++)
        sum += atomic_load_explicit(&counters->file->row[row][id], memory_order_relaxed);
    return sum;
}

const char *sinkhole_counter_name(enum sinkhole_counter id)
{
    return (unsigned)id < SINKHOLE_COUNTER_COUNT ? texts[id].name : "";
}

const char *sinkhole_counter_help(enum sinkhole_counter id)
{
    return (unsigned)id < SINKHOLE_COUNTER_COUNT ? texts[id].help : "";
}
