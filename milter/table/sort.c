/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/sort.h"

#include "base/place.h"
#include "table/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_MIN (64 * 1024)

/* A sorted part of the temporary file. */
struct run {
    size_t begin, end;  /* octets of the file */
    const char *record; /* the next one, while there is any */
};

struct sort {
    const char *folder;
    size_t memory;

    /* The records, from its beginning; and pointers to them, from its end. */
    char *buffer;
    size_t used, count;

    FILE *file; /* NULL: all records are in the buffer */
    size_t written;
    /* while they are merged, the first `left` of them are a heap: the lowest record is in runs[0] */
    struct run *runs;
    size_t run_count, left;

    bool reads;      /* sort_rewind was called: no record can be added any more */
    const char *map; /* of the file */
    size_t next;     /* the index of the next record in the buffer */
};

struct sort *sort_new(size_t memory, const char *folder)
{
    struct sort *sort = calloc(1, sizeof *sort);
    memory = memory < MEMORY_MIN ? MEMORY_MIN : memory / sizeof(char *) * sizeof(char *);
    if (sort == NULL || (sort->buffer = malloc(memory)) == NULL) {
        free(sort);
        return NULL;
    }
    sort->folder = folder;
    sort->memory = memory;
    return sort;
}

void sort_free(struct sort *sort)
{
    if (sort == NULL)
        return;
    if (sort->file != NULL)
        fclose(sort->file);
    if (sort->map != NULL)
        munmap((void *)sort->map, sort->written);
    free(sort->buffer);
    free(sort->runs);
    free(sort);
}

/* ---- a record as octets: its line (8), the lengths of key and value (2 each), key, value */

#define HEAD 12

static size_t pack(char *out, const struct sort_record *record)
{
    const uint64_t line = record->line;
    const uint16_t lengths[2] = {(uint16_t)record->key_length, (uint16_t)record->value_length};
    memcpy(out, &line, sizeof line);
    memcpy(out + 8, lengths, sizeof lengths);
    memcpy(out + HEAD, record->key, record->key_length);
    memcpy(out + HEAD + record->key_length, record->value, record->value_length);
    return HEAD + record->key_length + record->value_length;
}

/* Returns the end of the record. */
static const char *unpack(struct sort_record *out, const char *record)
{
    uint64_t line;
    uint16_t lengths[2];
    memcpy(&line, record, sizeof line);
    memcpy(lengths, record + 8, sizeof lengths);
    out->line = (unsigned long)line;
    out->key = record + HEAD;
    out->key_length = lengths[0];
    out->value = record + HEAD + lengths[0];
    out->value_length = lengths[1];
    return record + HEAD + lengths[0] + lengths[1];
}

static int compare(const char *a, const char *b)
{
    struct sort_record x, y;
    unpack(&x, a);
    unpack(&y, b);
    int rc = record_compare(x.key, x.key_length, y.key, y.key_length);
    return rc != 0 ? rc : (x.line > y.line) - (x.line < y.line);
}

static int compare_places(const void *a, const void *b)
{
    return compare(*(const char *const *)a, *(const char *const *)b);
}

/* ---- adding */

/* Pointers to the records; until they are sorted, the last one that was added is the first. */
static const char **places(const struct sort *sort)
{
    return (const char **)(void *)(sort->buffer + sort->memory) - sort->count;
}

static int write_error(const struct sort *sort, struct error *err)
{
    return error_set(err, EX_IOERR, "%s: temporary file: %s: set TMPDIR to another folder",
                     sort->folder, strerror(errno));
}

/* Finds a name in the folder, not the folder itself: that may be /tmp, in which root controls only its own names. */
static FILE *open_file(const char *folder)
{
    char path[PATH_MAX];
    struct place place;
    int fd = -1;
    snprintf(path, sizeof path, "%s/sort-%ld", folder, (long)getpid());
    if (place_find(&place, path, NULL) != 0)
        return NULL;
    if (place_enter(&place, NULL) == 0) {
        fd = openat(place.folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0) { /* not every file system has O_TMPFILE */
            fd = openat(place.folder, place.name,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
            if (fd >= 0)
                unlinkat(place.folder, place.name, 0);
        }
        place_leave(&place);
    }
    int reason = errno;
    place_free(&place);
    errno = reason;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");
    if (fd >= 0 && file == NULL)
        close(fd);
    return file;
}

/* Writes the records of the buffer, sorted, as a new run. */
static int spill(struct sort *sort, struct error *err)
{
    struct sort_record record;
    if (sort->file == NULL && (sort->file = open_file(sort->folder)) == NULL)
        return write_error(sort, err);
    struct run *runs = realloc(sort->runs, (sort->run_count + 1) * sizeof *runs);
    if (runs == NULL)
        return error_no_memory(err);
    sort->runs = runs;
    struct run *run = &runs[sort->run_count++];
    run->begin = sort->written;
    qsort(places(sort), sort->count, sizeof(const char *), compare_places);
    for (size_t i = 0; i < sort->count; i++) {
        const char *from = places(sort)[i];
        size_t size = (size_t)(unpack(&record, from) - from);
        if (fwrite(from, size, 1, sort->file) != 1)
            return write_error(sort, err);
        sort->written += size;
    }
    run->end = sort->written;
    sort->used = sort->count = 0;
    return fflush(sort->file) == 0 ? 0 : write_error(sort, err);
}

int sort_add(struct sort *sort, const struct sort_record *record, struct error *err)
{
    size_t size = HEAD + record->key_length + record->value_length;
    size_t room = sort->memory - sort->used - sort->count * sizeof(const char *);
    if (room < size + sizeof(const char *) && spill(sort, err) != 0)
        return -1;

    char *at = sort->buffer + sort->used;
    sort->used += pack(at, record);
    sort->count++;
    places(sort)[0] = at;
    return 0;
}

/* ---- reading */

/* Moves runs[at] down the heap until no run below it has a lower record. */
static void sink(struct sort *sort, size_t at)
{
    struct run *runs = sort->runs;
    const struct run moved = runs[at];
    size_t child;
    while ((child = 2 * at + 1) < sort->left) {
        if (child + 1 < sort->left && compare(runs[child + 1].record, runs[child].record) < 0)
            child++;
        if (compare(moved.record, runs[child].record) <= 0)
            break;
        runs[at] = runs[child];
        at = child;
    }
    runs[at] = moved;
}

static int end_adding(struct sort *sort, struct error *err)
{
    sort->reads = true;
    if (sort->file == NULL) {
        qsort(places(sort), sort->count, sizeof(const char *), compare_places);
        return 0;
    }
    if (spill(sort, err) != 0)
        return -1;
    free(sort->buffer);
    sort->buffer = NULL;
    void *map = mmap(NULL, sort->written, PROT_READ, MAP_PRIVATE, fileno(sort->file), 0);
    if (map == MAP_FAILED)
        return error_no_memory(err);
    sort->map = map;
    return 0;
}

int sort_rewind(struct sort *sort, struct error *err)
{
    if (!sort->reads && end_adding(sort, err) != 0)
        return -1;
    sort->next = 0;
    sort->left = sort->run_count;
    for (size_t i = 0; i < sort->left; i++)
        sort->runs[i].record = sort->map + sort->runs[i].begin;
    for (size_t i = sort->left / 2; i-- > 0;)
        sink(sort, i);
    return 0;
}

bool sort_next(struct sort *sort, struct sort_record *out)
{
    if (sort->next < sort->count)
        unpack(out, places(sort)[sort->next++]);
    else if (sort->left == 0)
        return false;
    else {
        struct run *run = &sort->runs[0], read = *run;
        read.record = run->record = unpack(out, run->record);
        if (read.record == sort->map + read.end) {
            *run = sort->runs[--sort->left];
            sort->runs[sort->left] = read;
        }
        sink(sort, 0);
    }
    return true;
}
