/* SPDX-License-Identifier: BSD-2-Clause */
/* What another program, or a disk, can make of the table's file while it is open: no octet of it, wherever it leads,
 * ends a program that reads. The input is a list of changes: where in the file (two octets, the higher one first), and
 * the octet that stands there then. */
#include "table/changelog.h"
#include "table/table.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES   200  /* so many that there is a page above the leaves */
#define STEPS_MAX 1000 /* pages that lead to each other in a circle make an endless walk */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];
static struct table *table;
static int file;
static uint8_t whole[65536];
static size_t length;

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void clean_up(void)
{
    table_free(table);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void fill(void)
{
    struct table_edit *edit = table_edit_begin(table, NULL);
    for (int i = 0; i < ENTRIES; i++) {
        struct entry entry = {.scope = i == 0 ? ENTRY_DOMAIN : ENTRY_MAILBOX,
                              .domain = "old.example",
                              .new = "@new.example"};
        if (i > 0)
            snprintf(entry.local, sizeof entry.local, "u%06d", i);
        memset(entry.note, 'n', (size_t)i);
        if (table_edit_put(edit, &entry, false, NULL) != TABLE_ABSENT)
            abort();
    }
    if (table_edit_commit(edit, NULL) != 0)
        abort();
}

static void make(void)
{
    char path[sizeof folder + 16];
    snprintf(folder, sizeof folder, "/tmp/fuzz-XXXXXX");
    if (mkdtemp(folder) == NULL ||
        table_create(strcat(folder, "/"), true, NULL, (uid_t)-1, (gid_t)-1, NULL) != 0 ||
        table_open(&table, folder, TABLE_WRITE, true, NULL) != 0)
        abort();
    atexit(clean_up);
    fill();
    table_free(table);
    snprintf(path, sizeof path, "%sdata.mdb", folder);
    file = open(path, O_RDWR);
    length = (size_t)read(file, whole, sizeof whole);
    if (table_open(&table, folder, TABLE_READ, true, NULL) != 0)
        abort();
}

static int count(void *data)
{
    int *steps = data;
    return ++*steps > STEPS_MAX;
}

static int each_entry(const struct entry *entry, void *data, struct error *err)
{
    (void)err;
    if (strlen(entry->local) > ADDRESS_LOCAL_MAX || strlen(entry->new) > ADDRESS_NEW_MAX ||
        strlen(entry->note) > ENTRY_NOTE_MAX)
        abort();
    return count(data);
}

static int each_change(const struct change *change, void *data, struct error *err)
{
    (void)change;
    (void)err;
    return count(data);
}

static int each_changed(const struct change_entry *entry, void *data, struct error *err)
{
    (void)entry;
    (void)err;
    return count(data);
}

static void look(void)
{
    struct entry entry;
    struct error err;
    size_t entries;
    int steps = 0;
    struct table_view *view = table_view_open(table, &err);
    if (view != NULL) {
        (void)table_find(view, ENTRY_MAILBOX, "u000100", "old.example", &entry, &err);
        (void)table_find(view, ENTRY_DOMAIN, "", "old.example", &entry, &err);
        (void)table_each(view, "old.example", each_entry, &steps, &err);
        (void)table_each_domain(view, each_entry, &steps, &err);
        table_view_close(view);
    }
    (void)table_count(table, &entries, &err);
    (void)changelog_each(table, each_change, &steps, &err);
    (void)changelog_each_entry(table, 1, each_changed, &steps, &err);
}

static void write_octets(size_t at, const uint8_t *octets, size_t size)
{
    if (pwrite(file, octets, size, (off_t)at) != (ssize_t)size)
        abort();
}

/* With every change the same handle is used, and views that have met a fault. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entry entry;
    if (table == NULL)
        make();
    for (size_t i = 0; i + 2 < size; i += 3)
        write_octets((size_t)(data[i] << 8 | data[i + 1]) % length, data + i + 2, 1);
    look();
    for (size_t i = 0; i + 2 < size; i += 3) {
        size_t at = (size_t)(data[i] << 8 | data[i + 1]) % length;
        write_octets(at, whole + at, 1);
    }
    struct table_view *view = table_view_open(table, NULL);
    if (view == NULL ||
        table_find(view, ENTRY_MAILBOX, "u000100", "old.example", &entry, NULL) != TABLE_FOUND)
        abort();
    table_view_close(view);
    return 0;
}
