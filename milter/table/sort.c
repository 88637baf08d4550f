/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/sort.h"

#include "base/place.h"

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

/* A record as octets: its line (8), the lengths of key and value (2 each), key, value. */
#define HEAD 12

#define MEMORY_MIN (64 * 1024)

/* A part of the temporary file that is in order. */
struct run {
    size_t begin, end;  /* octets of the file */
    const char *record; /* the next one, while there is any */
};

struct sort {
    const char *folder;
    size_t memory;

    /* Records from the front on; from the back on, where each begins. */
    char *buffer;
    size_t used, count;

    FILE *file; /* NULL: all are in the buffer */
    size_t written;
    struct run *runs;
    size_t run_count, run_room;

    bool reads;      /* sort_rewind was called: none is added any more */
    const char *map; /* of the file */
    size_t next;     /* of those in the buffer */
    size_t *heap;    /* the runs that have a record left, the one with the least at 0 */
    size_t heap_size;
    bool took; /* the caller has the record of the run at heap[0] */
};

struct sort *sort_new(size_t memory, const char *folder)
{
    struct sort *sort = calloc(1, sizeof *sort);
    if (sort == NULL)
        return NULL;
    sort->folder = folder;
    sort->memory =
        (memory < MEMORY_MIN ? MEMORY_MIN : memory) / sizeof(const char *) * sizeof(const char *);
    sort->buffer = malloc(sort->memory);
    if (sort->buffer == NULL) {
        free(sort);
        return NULL;
    }
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
    free(sort->heap);
    free(sort);
}

/* ---- a record as octets */

static size_t key_length(const char *record)
{
    uint16_t length;
    memcpy(&length, record + 8, sizeof length);
    return length;
}

static size_t record_length(const char *record)
{
    uint16_t value;
    memcpy(&value, record + 10, sizeof value);
    return HEAD + key_length(record) + value;
}

static size_t pack(char *out, const struct sort_record *record)
{
    const uint64_t line = record->line;
    const uint16_t both[2] = {(uint16_t)record->key_length, (uint16_t)record->value_length};
    memcpy(out, &line, sizeof line);
    memcpy(out + 8, both, sizeof both);
    memcpy(out + HEAD, record->key, record->key_length);
    memcpy(out + HEAD + record->key_length, record->value, record->value_length);
    return HEAD + record->key_length + record->value_length;
}

static void unpack(struct sort_record *out, const char *record)
{
    uint64_t line;
    memcpy(&line, record, sizeof line);
    out->line = (unsigned long)line;
    out->key_length = key_length(record);
    out->key = record + HEAD;
    out->value = record + HEAD + out->key_length;
    out->value_length = record_length(record) - HEAD - out->key_length;
}

static int compare(const char *a, const char *b)
{
    size_t a_length = key_length(a), b_length = key_length(b);
    uint64_t a_line, b_line;
    int rc = memcmp(a + HEAD, b + HEAD, a_length < b_length ? a_length : b_length);
    if (rc != 0)
        return rc;
    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    memcpy(&a_line, a, sizeof a_line);
    memcpy(&b_line, b, sizeof b_line);
    return a_line < b_line ? -1 : a_line > b_line;
}

static int compare_places(const void *a, const void *b)
{
    return compare(*(const char *const *)a, *(const char *const *)b);
}

/* ---- adding */

/* Where the records begin: the last that was added first, until they are in order. */
static const char **places(const struct sort *sort)
{
    return (const char **)(void *)(sort->buffer + sort->memory) - sort->count;
}

static int write_error(const struct sort *sort, struct error *err)
{
    return error_set(err, EX_IOERR, "%s: temporary file: %s: set TMPDIR to another folder",
                     sort->folder, strerror(errno));
}

/* Not every file system has O_TMPFILE. */
static int open_unnamed(const struct place *place)
{
    int file = openat(place->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0)
        return file;
    file = openat(place->folder, place->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  0600);
    if (file >= 0)
        unlinkat(place->folder, place->name, 0);
    return file;
}

/* A name in the folder is looked for, not the folder: that may be /tmp, of which root controls its own names alone. */
static FILE *open_file(const char *folder)
{
    char path[PATH_MAX];
    struct place place;
    int fd = -1;
    snprintf(path, sizeof path, "%s/sort-%ld", folder, (long)getpid());
    if (place_find(&place, path, NULL) != 0)
        return NULL;
    if (place_enter(&place, NULL) == 0) {
        fd = open_unnamed(&place);
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

/* The records of the buffer in their order. */
static int write_sorted(struct sort *sort, struct error *err)
{
    for (size_t i = 0; i < sort->count; i++) {
        size_t size = record_length(places(sort)[i]);
        if (fwrite(places(sort)[i], size, 1, sort->file) != 1)
            return write_error(sort, err);
        sort->written += size;
    }
    return fflush(sort->file) == 0 ? 0 : write_error(sort, err);
}

static struct run *add_run(struct sort *sort)
{
    if (sort->run_count == sort->run_room) {
        size_t room = sort->run_room == 0 ? 16 : 2 * sort->run_room;
        struct run *more = realloc(sort->runs, room * sizeof *more);
        if (more == NULL)
            return NULL;
        sort->runs = more;
        sort->run_room = room;
    }
    struct run *run = &sort->runs[sort->run_count++];
    *run = (struct run){.begin = sort->written};
    return run;
}

/* Makes a run of what is in the buffer. */
static int spill(struct sort *sort, struct error *err)
{
    if (sort->file == NULL && (sort->file = open_file(sort->folder)) == NULL)
        return write_error(sort, err);
    struct run *run = add_run(sort);
    if (run == NULL)
        return error_no_memory(err);
    qsort(places(sort), sort->count, sizeof(const char *), compare_places);
    int rc = write_sorted(sort, err);
    run->end = sort->written;
    sort->used = sort->count = 0;
    return rc;
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

/* Lets the run at heap[at] sink to where none below it has a lesser record. */
static void sink(struct sort *sort, size_t at)
{
    size_t moved = sort->heap[at], child;
    while ((child = 2 * at + 1) < sort->heap_size) {
        if (child + 1 < sort->heap_size && compare(sort->runs[sort->heap[child + 1]].record,
                                                   sort->runs[sort->heap[child]].record) < 0)
            child++;
        if (compare(sort->runs[moved].record, sort->runs[sort->heap[child]].record) <= 0)
            break;
        sort->heap[at] = sort->heap[child];
        at = child;
    }
    sort->heap[at] = moved;
}

static void begin_merge(struct sort *sort)
{
    for (size_t i = 0; i < sort->run_count; i++) {
        sort->runs[i].record = sort->map + sort->runs[i].begin;
        sort->heap[i] = i;
    }
    sort->heap_size = sort->run_count;
    for (size_t i = sort->heap_size / 2; i-- > 0;)
        sink(sort, i);
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
    sort->heap = calloc(sort->run_count, sizeof *sort->heap);
    void *map = mmap(NULL, sort->written, PROT_READ, MAP_PRIVATE, fileno(sort->file), 0);
    if (map != MAP_FAILED)
        sort->map = map;
    return sort->map != NULL && sort->heap != NULL ? 0 : error_no_memory(err);
}

int sort_rewind(struct sort *sort, struct error *err)
{
    if (!sort->reads && end_adding(sort, err) != 0)
        return -1;
    sort->next = 0;
    sort->took = false;
    if (sort->file != NULL)
        begin_merge(sort);
    return 0;
}

static bool next_in_memory(struct sort *sort, struct sort_record *out)
{
    if (sort->next == sort->count)
        return false;
    unpack(out, places(sort)[sort->next++]);
    return true;
}

/* Goes to the next record of the run whose record was the least. */
static void advance(struct sort *sort)
{
    struct run *run = &sort->runs[sort->heap[0]];
    run->record += record_length(run->record);
    if (run->record == sort->map + run->end)
        sort->heap[0] = sort->heap[--sort->heap_size];
    sink(sort, 0);
}

bool sort_next(struct sort *sort, struct sort_record *out)
{
    if (sort->file == NULL)
        return next_in_memory(sort, out);
    if (sort->took)
        advance(sort);
    sort->took = sort->heap_size > 0;
    if (sort->took)
        unpack(out, sort->runs[sort->heap[0]].record);
    return sort->took;
}
