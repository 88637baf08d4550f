/* ctl/import.c: put the entries of a file, in one transaction */
#include "ctl/ctl.h"

#include "table/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Which line of the file had an old address first: an open hash of 16 octets an entry. */
struct seen {
    struct place {
        uint64_t hash; /* 0: free */
        uint64_t line;
    } * places;
    size_t size, used; /* size is a power of two */
};

struct import {
    const struct ctl *ctl;
    const char *file;
    struct table_edit *edit;
    struct seen seen;
    struct error *err;
    size_t added, replaced, bad, other, before;
    time_t started, told;
};

/* ---- lines seen */

/* FNV-1a; two old addresses of one hash would be called one: at 10 million entries, 3 in a
 * million. */
static uint64_t hash_old(const struct entry *entry)
{
    char old[ADDRESS_TEXT_SIZE];
    uint64_t hash = 0xcbf29ce484222325ULL;
    entry_format_old(old, sizeof old, entry);
    for (const char *at = old; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3ULL;
    return hash == 0 ? 1 : hash;
}

static struct place *place_of(const struct seen *seen, uint64_t hash)
{
    size_t at = hash & (seen->size - 1);
    while (seen->places[at].hash != 0 && seen->places[at].hash != hash)
        at = (at + 1) & (seen->size - 1);
    return &seen->places[at];
}

static int grow(struct seen *seen)
{
    struct seen larger = {.size = seen->size == 0 ? 1024 : 2 * seen->size, .used = seen->used};
    larger.places = calloc(larger.size, sizeof *larger.places);
    if (larger.places == NULL)
        return -1;
    for (size_t i = 0; i < seen->size; i++)
        if (seen->places[i].hash != 0)
            *place_of(&larger, seen->places[i].hash) = seen->places[i];
    free(seen->places);
    *seen = larger;
    return 0;
}

/* Returns the line that had it first; 0 where this one is the first; -1 where memory is out. */
static long long note_line(struct seen *seen, const struct entry *entry, unsigned long line)
{
    if (4 * seen->used >= 3 * seen->size && grow(seen) != 0)
        return -1;
    uint64_t hash = hash_old(entry);
    struct place *place = place_of(seen, hash);
    if (place->hash != 0)
        return (long long)place->line;
    *place = (struct place){hash, line};
    seen->used++;
    return 0;
}

/* ---- rows */

static int on_bad(const struct error *why, unsigned long line, void *data)
{
    struct import *import = data;
    struct error err = *why;
    error_at(&err, import->file, line);
    if (why->status == EX_OK) {
        ctl_warn("%s", err.text);
        import->other++;
        return 0;
    }
    fprintf(stderr, "movedctl: %s\n", err.text);
    import->bad++;
    return 0;
}

static void show_progress(struct import *import)
{
    time_t now = time(NULL);
    size_t done = import->added + import->replaced;
    if (now == import->told || !isatty(STDERR_FILENO))
        return;
    import->told = now;
    if (now - import->started >= 1)
        fprintf(stderr, "\r%zu entries, %zu a second ", done,
                done / (size_t)(now - import->started));
}

static int on_entry(const struct entry *entry, unsigned long line, void *data)
{
    struct import *import = data;
    struct error err;
    long long first = note_line(&import->seen, entry, line);
    if (first < 0)
        return error_set(import->err, EX_OSERR, "out of memory");
    if (first > 0) {
        char old[ADDRESS_TEXT_SIZE];
        entry_format_old(old, sizeof old, entry);
        error_set(&err, EX_DATAERR, "old: '%s' is in line %lld already: write it once", old, first);
        return on_bad(&err, line, import);
    }
    switch (table_edit_put(import->edit, entry, true, import->err)) {
    case TABLE_ABSENT: import->added++; break;
    case TABLE_FOUND: import->replaced++; break;
    case TABLE_FAILED: return -1;
    }
    if ((import->added + import->replaced) % 1024 == 0)
        show_progress(import);
    return 0;
}

/* ---- the file */

static int read_file(struct import *import, FILE *in, const struct format *format)
{
    const struct options *options = &import->ctl->options;
    struct error *err = import->err;

    if (options->replace_all && table_edit_clear(import->edit, err) != 0)
        return -1;
    err->text[0] = '\0';
    if (format->read(in, &import->ctl->settings->addresses, on_entry, on_bad, import, err) != 0)
        return error_at(err, import->file, 0);
    if (import->told - import->started >= 1)
        fputc('\n', stderr);
    if (import->bad > 0 && !options->skip_bad)
        return error_set(err, EX_DATAERR,
                         "%s: %zu bad lines, nothing is changed: mend them, or write --skip-bad",
                         import->file, import->bad);
    return 0;
}

static int finish(struct import *import)
{
    const struct options *options = &import->ctl->options;
    if (options->dry_run)
        table_edit_abort(import->edit);
    else if (table_edit_commit(import->edit, import->err) != 0)
        return -1;
    if (options->dry_run)
        fputs("dry run: ", stdout);
    if (options->replace_all)
        printf("%zu entries in place of %zu", import->added, import->before);
    else
        printf("%zu added, %zu replaced", import->added, import->replaced);
    if (import->bad > 0)
        printf(", %zu bad lines skipped", import->bad);
    if (import->other > 0)
        printf(", %zu lines not carried over", import->other);
    putchar('\n');
    return 0;
}

static int import_stream(struct ctl *ctl, FILE *in, const char *file, const struct format *format,
                         struct error *err)
{
    struct import import = {.ctl = ctl, .file = file, .err = err, .started = time(NULL)};
    import.told = import.started;

    if (table_count(ctl->table, &import.before, err) != 0 ||
        (import.edit = table_edit_begin(ctl->table, err)) == NULL)
        return -1;
    int rc = read_file(&import, in, format);
    if (rc == 0)
        rc = finish(&import);
    else
        table_edit_abort(import.edit);
    free(import.seen.places);
    return rc;
}

static int import(struct ctl *ctl, char **args, struct error *err)
{
    const struct format *format = format_find(ctl->options.format, args[0], err);
    if (format == NULL)
        return -1;
    if (strcmp(args[0], "-") == 0)
        return import_stream(ctl, stdin, "standard input", format, err);
    FILE *in = fopen(args[0], "r");
    if (in == NULL) {
        error_set(err, error_status(errno), "%s", strerror(errno));
        return error_at(err, args[0], 0);
    }
    int rc = import_stream(ctl, in, args[0], format, err);
    fclose(in);
    return rc;
}

const struct command command_import = {
    .name = "import",
    .usage = "import [--format F] [--replace-all] [--dry-run] [--skip-bad] FILE|-",
    .summary = "Puts the entries of a file, all or nothing",
    .details = "Entries that are there already are replaced. Every bad line is named, and then "
               "nothing is changed.\n"
               "\n"
               "  --replace-all the table then has the entries of the file and no others\n"
               "  --dry-run     says what it would do\n"
               "  --skip-bad    imports the lines that are not bad\n",
    .explain = print_formats,
    .takes = "format replace-all dry-run skip-bad",
    .least = 1,
    .most = 1,
    .opens = TABLE_TO_WRITE,
    .run = import,
};
