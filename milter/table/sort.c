#include "table/sort.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A record as octets: its line (8), the lengths of key and value (2 each), key, value. */
#define HEAD       12
#define RECORD_MAX (HEAD + SORT_KEY_MAX + SORT_VALUE_MAX)

#define MEMORY_MIN (64 * 1024)
#define WINDOW_MIN (4 * RECORD_MAX)
#define WINDOW_MAX (1024 * 1024) /* more at a time makes reading no faster */
#define AHEAD      16            /* records */
#define PARTS_MAX  128

/* Where a record is, and eight octets of its key. */
struct place {
    uint64_t octets;
    const char *record;
};

/* A part of the temporary file that is in order, and the window through which it is read. */
struct run {
    off_t begin, end;
    off_t at; /* what has been read into the window */
    char *window;
    size_t used, filled;
    const char *record; /* the run's next; NULL: none is left */
};

struct sort {
    const char *folder;
    size_t memory;

    /* Records from the front on; from the back on, where each begins, the last one first. */
    char *buffer;
    size_t used, count;
    bool in_order;

    int file; /* -1: all are in the buffer */
    off_t written;
    struct run *runs;
    size_t run_count, run_room;
    char last[RECORD_MAX];       /* the last record of the last run */
    char piece[16 * RECORD_MAX]; /* on its way into the file */

    bool reads;    /* sort_rewind was called: with a file, the buffer is now the windows */
    size_t next;   /* of those in the buffer */
    size_t window; /* octets of each */
    size_t *heap;  /* the runs that have a record left, the one with the least at 0 */
    size_t heap_size;
    bool took; /* the record of the run at heap[0] is out, and lent */
};

struct sort *sort_new(size_t memory, const char *folder)
{
    struct sort *sort = calloc(1, sizeof *sort);
    if (sort == NULL)
        return NULL;
    sort->folder = folder;
    sort->file = -1;
    sort->in_order = true;
    sort->memory =
        (memory < MEMORY_MIN ? MEMORY_MIN : memory) / sizeof(struct place) * sizeof(struct place);
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
    if (sort->file >= 0)
        close(sort->file);
    free(sort->buffer);
    free(sort->runs);
    free(sort->heap);
    free(sort);
}

/* ---- a record as octets */

static size_t lengths(const char *record, size_t *key)
{
    uint16_t both[2];
    memcpy(both, record + 8, sizeof both);
    *key = both[0];
    return (size_t)HEAD + both[0] + both[1];
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
    size_t size = lengths(record, &out->key_length);
    memcpy(&line, record, sizeof line);
    out->line = (unsigned long)line;
    out->key = record + HEAD;
    out->value = record + HEAD + out->key_length;
    out->value_length = size - HEAD - out->key_length;
}

static int compare(const char *a, const char *b)
{
    size_t a_length, b_length;
    uint64_t a_line, b_line;
    lengths(a, &a_length);
    lengths(b, &b_length);
    int rc = memcmp(a + HEAD, b + HEAD, a_length < b_length ? a_length : b_length);
    if (rc != 0)
        return rc;
    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    memcpy(&a_line, a, sizeof a_line);
    memcpy(&b_line, b, sizeof b_line);
    return a_line < b_line ? -1 : a_line > b_line;
}

/* ---- putting places in order: by eight octets of the keys at a time, which stand with the place itself, since to
 * look at the records, all over the memory, is what would cost. Of those with the same eight, by the next eight. */

#define FEW 16 /* so many are sorted by insertion */

static void look_at(struct place *places, size_t count, size_t depth)
{
    for (size_t i = 0; i < count; i++) {
        const char *record = places[i].record;
        size_t key;
        uint64_t octets = 0;
        lengths(record, &key);
        if (depth < key)
            memcpy(&octets, record + HEAD + depth, key - depth < 8 ? key - depth : 8);
        places[i].octets = be64toh(octets); /* so that numbers compare as octets do */
        if (i + AHEAD < count)
            __builtin_prefetch(places[i + AHEAD].record + depth);
    }
}

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    return compare(left->record, right->record);
}

static bool is_less(const struct place *a, const struct place *b)
{
    return a->octets != b->octets ? a->octets < b->octets : compare(a->record, b->record) < 0;
}

static void insert_each(struct place *places, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct place moved = places[i];
        size_t at = i;
        for (; at > 0 && is_less(&moved, &places[at - 1]); at--)
            places[at] = places[at - 1];
        places[at] = moved;
    }
}

static void swap(struct place *a, struct place *b)
{
    struct place kept = *a;
    *a = *b;
    *b = kept;
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

/* Those less than the middle to the front, those greater to the back. */
static void part(struct place *places, size_t count, size_t *less, size_t *greater)
{
    uint64_t middle = median(places[count / 4].octets, places[count / 2].octets,
                             places[count - count / 4 - 1].octets);
    *less = 0;
    *greater = count;
    for (size_t i = 0; i < *greater;) {
        if (places[i].octets < middle)
            swap(&places[i++], &places[(*less)++]);
        else if (places[i].octets > middle)
            swap(&places[i], &places[--*greater]);
        else
            i++;
    }
}

/* The keys are the same before depth, and their octets from there on are in the places. parts bounds how
 * often they are parted: an order that was made to be slow goes to qsort. */
static void order_places(struct place *places, size_t count, size_t depth, int parts)
{
    size_t less, greater, key;
    while (count > FEW && parts-- > 0) {
        part(places, count, &less, &greater);
        order_places(places, less, depth, parts);
        lengths(places[less].record, &key);
        if (key > depth + 8 && depth + 8 < SORT_KEY_MAX) {
            look_at(places + less, greater - less, depth + 8);
            order_places(places + less, greater - less, depth + 8, parts);
        } else {
            qsort(places + less, greater - less, sizeof *places, compare_places);
        }
        places += greater;
        count -= greater;
    }
    if (count > FEW)
        qsort(places, count, sizeof *places, compare_places);
    else
        insert_each(places, count);
}

/* ---- adding */

static struct place *places(const struct sort *sort)
{
    return (struct place *)(void *)(sort->buffer + sort->memory) - sort->count;
}

/* The record of this number, once they are in order. */
static const char *record_at(const struct sort *sort, size_t number)
{
    return places(sort)[sort->in_order ? sort->count - 1 - number : number].record;
}

static void order(struct sort *sort)
{
    if (sort->in_order)
        return;
    look_at(places(sort), sort->count, 0);
    order_places(places(sort), sort->count, 0, PARTS_MAX);
}

/* Records in order lie all over the memory: the next ones are on their way while this one is used. */
static const char *take_at(const struct sort *sort, size_t number)
{
    if (!sort->in_order && number + AHEAD < sort->count) {
        const char *ahead = record_at(sort, number + AHEAD);
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
    }
    return record_at(sort, number);
}

static int write_error(const struct sort *sort, struct error *err)
{
    return error_set(err, EX_IOERR, "%s: temporary file: %s: set TMPDIR to another folder",
                     sort->folder, strerror(errno));
}

int sort_open_file(const char *folder)
{
    char path[PATH_MAX];
    int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0)
        return file;
    snprintf(path, sizeof path, "%s/sort-XXXXXX", folder); /* not every file system has O_TMPFILE */
    file = mkostemp(path, O_CLOEXEC);
    if (file >= 0)
        unlink(path);
    return file;
}

static int write_out(struct sort *sort, const char *text, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t done = pwrite(sort->file, text, length, sort->written);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return write_error(sort, err);
        sort->written += done;
        text += done;
        length -= (size_t)done;
    }
    return 0;
}

/* The records of the buffer in their order, gathered into larger pieces. */
static int write_sorted(struct sort *sort, struct error *err)
{
    size_t used = 0, key;
    int rc = 0;
    for (size_t i = 0; i < sort->count && rc == 0; i++) {
        const char *record = take_at(sort, i);
        size_t size = lengths(record, &key);
        memcpy(sort->piece + used, record, size);
        used += size;
        if (used > sizeof sort->piece - RECORD_MAX) {
            rc = write_out(sort, sort->piece, used, err);
            used = 0;
        }
    }
    return rc == 0 ? write_out(sort, sort->piece, used, err) : rc;
}

/* The run that what is in the buffer goes to: where it follows on the last one, that one. */
static struct run *next_run(struct sort *sort)
{
    if (sort->run_count > 0 && compare(sort->last, record_at(sort, 0)) < 0)
        return &sort->runs[sort->run_count - 1];
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

static int spill(struct sort *sort, struct error *err)
{
    size_t key;
    if (sort->count == 0)
        return 0;
    order(sort);
    struct run *run = next_run(sort);
    if (run == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    if (sort->file < 0 && (sort->file = sort_open_file(sort->folder)) < 0)
        return write_error(sort, err);
    int rc =
        sort->in_order ? write_out(sort, sort->buffer, sort->used, err) : write_sorted(sort, err);
    const char *last = record_at(sort, sort->count - 1);
    memcpy(sort->last, last, lengths(last, &key));
    run->end = sort->written;
    sort->used = sort->count = 0;
    sort->in_order = true;
    return rc;
}

int sort_add(struct sort *sort, const struct sort_record *record, struct error *err)
{
    size_t size = HEAD + record->key_length + record->value_length;
    size_t room = sort->memory - sort->used - sort->count * sizeof(struct place);
    if (room < size + sizeof(struct place) && spill(sort, err) != 0)
        return -1;

    char *at = sort->buffer + sort->used;
    sort->used += pack(at, record);
    sort->in_order =
        sort->in_order && (sort->count == 0 || compare(record_at(sort, sort->count - 1), at) < 0);
    sort->count++;
    places(sort)[0].record = at;
    return 0;
}

/* ---- reading */

/* Reads on, behind what is left in the run's window. */
static int fill(const struct sort *sort, struct run *run, struct error *err)
{
    size_t left = run->filled - run->used;
    memmove(run->window, run->window + run->used, left);
    run->used = 0;
    run->filled = left;
    while (run->filled < sort->window && run->at < run->end) {
        size_t want = sort->window - run->filled;
        if ((off_t)want > run->end - run->at)
            want = (size_t)(run->end - run->at);
        ssize_t got = pread(sort->file, run->window + run->filled, want, run->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(err, EX_IOERR, "%s: temporary file: %s", sort->folder,
                             got < 0 ? strerror(errno) : "cut short");
        run->at += got;
        run->filled += (size_t)got;
    }
    return 0;
}

/* Makes the next record of the run stand whole in its window. */
static int advance(const struct sort *sort, struct run *run, struct error *err)
{
    size_t key, left = run->filled - run->used;
    if ((left < HEAD || left < lengths(run->window + run->used, &key)) && fill(sort, run, err) != 0)
        return -1;
    run->record = run->used == run->filled ? NULL : run->window + run->used;
    if (run->record != NULL)
        run->used += lengths(run->record, &key);
    return 0;
}

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

static int begin_merge(struct sort *sort, struct error *err)
{
    for (size_t i = 0; i < sort->run_count; i++) {
        struct run *run = &sort->runs[i];
        run->window = sort->buffer + i * sort->window;
        run->at = run->begin;
        run->used = run->filled = 0;
        if (advance(sort, run, err) != 0)
            return -1;
        sort->heap[i] = i;
    }
    sort->heap_size = sort->run_count;
    for (size_t i = sort->heap_size / 2; i-- > 0;)
        sink(sort, i);
    return 0;
}

/* The buffer becomes the windows, of which each run gets one. */
static int end_adding(struct sort *sort, struct error *err)
{
    sort->reads = true;
    if (sort->file < 0) {
        order(sort);
        return 0;
    }
    if (spill(sort, err) != 0)
        return -1;
    sort->window = sort->memory / sort->run_count;
    if (sort->window > WINDOW_MAX)
        sort->window = WINDOW_MAX;
    if (sort->window < WINDOW_MIN)
        sort->window = WINDOW_MIN;
    free(sort->buffer);
    sort->buffer = malloc(sort->run_count * sort->window);
    sort->heap = calloc(sort->run_count, sizeof *sort->heap);
    return sort->buffer != NULL && sort->heap != NULL ? 0
                                                      : error_set(err, EX_OSERR, "out of memory");
}

int sort_rewind(struct sort *sort, struct error *err)
{
    if (!sort->reads && end_adding(sort, err) != 0)
        return -1;
    sort->next = 0;
    sort->took = false;
    return sort->file < 0 ? 0 : begin_merge(sort, err);
}

static enum sort_result next_in_memory(struct sort *sort, struct sort_record *out)
{
    if (sort->next == sort->count)
        return SORT_END;
    unpack(out, take_at(sort, sort->next++));
    return SORT_RECORD;
}

enum sort_result sort_next(struct sort *sort, struct sort_record *out, struct error *err)
{
    if (sort->file < 0)
        return next_in_memory(sort, out);
    if (sort->took) {
        struct run *run = &sort->runs[sort->heap[0]];
        if (advance(sort, run, err) != 0)
            return SORT_FAILED;
        if (run->record == NULL)
            sort->heap[0] = sort->heap[--sort->heap_size];
        sink(sort, 0);
    }
    sort->took = sort->heap_size > 0;
    if (!sort->took)
        return SORT_END;
    unpack(out, sort->runs[sort->heap[0]].record);
    return SORT_RECORD;
}
