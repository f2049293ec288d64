/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replays a fuzz target's corpus in `make check`: the files given, else those of
 * $srcdir/tests/fuzz/corpus/<target without fuzz_>. Fails when there is none.
 * Threads: one. Memory: one file at a time, in a block of its exact size.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path)
{
    struct stat st;
    uint8_t *data;
    FILE *file = fopen(path, "re");

    if (file == NULL || fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode)) {
        fprintf(stderr, "%s: %s\n", path, file == NULL ? strerror(errno) : "not a file");
        exit(1);
    }
    data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
    if (data == NULL || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    /* Every beginning of it, too: what is cut off is the commonest damage. */
    for (size_t len = 0; len < (size_t)st.st_size && st.st_size <= 4096; len++) {
        uint8_t *cut = malloc(len > 0 ? len : 1);

        if (cut == NULL)
            exit(1);
        memcpy(cut, data, len);
        LLVMFuzzerTestOneInput(cut, len);
        free(cut);
    }
    free(data);
}

static int replay_folder(const char *program)
{
    const char *srcdir = getenv("srcdir"), *name = strrchr(program, '/');
    char folder[PATH_MAX / 2], path[PATH_MAX];
    struct dirent *entry;
    int count = 0;
    DIR *dir;

    name = name != NULL ? name + 1 : program;
    name += strncmp(name, "lt-", 3) == 0 ? 3 : 0;
    name += strncmp(name, "fuzz_", 5) == 0 ? 5 : 0;
    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".",
             name);
    dir = opendir(folder);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        replay_file(path);
        count++;
    }
    if (dir != NULL)
        closedir(dir);
    if (count == 0)
        fprintf(stderr, "%s: no corpus\n", folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = argc - 1;

    for (int i = 1; i < argc; i++)
        replay_file(argv[i]);
    if (argc == 1)
        count = replay_folder(argv[0]);
    printf("%d files replayed\n", count);
    return count > 0 ? 0 : 1;
}
