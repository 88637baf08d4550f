/* ctl/import.c: put the entries of a file, in one transaction */
#include "ctl/ctl.h"

#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "table/format.h"
#include "table/merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TELL_EACH 256 /* lines between two words of progress */

struct import {
    const struct ctl *ctl;
    const char *file;
    FILE *in;
    off_t size; /* of the file in octets; 0: nobody knows */
    struct address_rules rules;
    struct merge *merge;
    struct merge_counts counts;
    size_t entries, bad, other;
    struct progress progress;
    struct error *err;
};

/* ---- what the file says */

static int on_bad(const struct error *why, unsigned long line, void *data)
{
    struct import *import = data;
    struct error err = *why;
    error_at(&err, import->file, line);
    progress_clear(&import->progress);
    if (why->status == EX_OK) {
        ctl_warn("%s", err.text);
        import->other++;
        return 0;
    }
    fprintf(stderr, "movedctl: %s\n", err.text);
    import->bad++;
    return 0;
}

static void on_repeated(const struct entry *entry, unsigned long line, unsigned long first,
                        void *data)
{
    struct error err;
    char old[ADDRESS_TEXT_SIZE];
    entry_format_old(old, sizeof old, entry);
    error_set(&err, EX_DATAERR, "old: '%s' is in line %lu already: write it once", old, first);
    on_bad(&err, line, data);
}

static int on_entry(const struct entry *entry, unsigned long line, void *data)
{
    struct import *import = data;
    if (++import->entries % TELL_EACH == 0)
        progress_tell(&import->progress, import->entries, (double)ftello(import->in),
                      (double)import->size);
    return merge_add(import->merge, entry, line, import->err);
}

static int read_file(struct import *import, const struct format *format)
{
    struct stat status;
    if (fstat(fileno(import->in), &status) == 0 && S_ISREG(status.st_mode))
        import->size = status.st_size;
    progress_begin(&import->progress, "reading");
    int rc = format->read(import->in, &import->rules, on_entry, on_bad, import, import->err);
    progress_clear(&import->progress);
    return rc;
}

/* ---- what comes of it */

static void on_progress(size_t done, size_t all, void *data)
{
    struct import *import = data;
    progress_tell(&import->progress, done, (double)done, (double)all);
}

static int on_difference(enum merge_kind kind, const struct entry *before,
                         const struct entry *after, void *data, struct error *err)
{
    (void)kind;
    (void)data;
    return print_difference(before, after, err);
}

static int compare(struct import *import, struct table_view *view)
{
    progress_begin(&import->progress, "comparing");
    int rc = merge_compare(import->merge, view, &import->counts, import->err);
    progress_clear(&import->progress);
    if (rc == 0 && import->bad > 0 && !import->ctl->options.skip_bad)
        rc = error_set(import->err, EX_DATAERR,
                       "%s: %zu bad lines, nothing is changed: mend them, or write --skip-bad",
                       import->file, import->bad);
    return rc;
}

static int write_edit(struct import *import, struct table_edit *edit)
{
    struct table_view *view = table_view_open(import->ctl->table, import->err);
    if (view == NULL)
        return -1;
    int rc = compare(import, view);
    if (rc == 0) {
        progress_begin(&import->progress, "writing");
        rc = merge_write(import->merge, view, edit, import->err);
        progress_clear(&import->progress);
    }
    table_view_close(view);
    return rc;
}

static int change(struct import *import)
{
    struct table_edit *edit = table_edit_begin(import->ctl->table, import->err);
    if (edit == NULL)
        return -1;
    if (write_edit(import, edit) != 0) {
        table_edit_abort(edit);
        return -1;
    }
    interrupt_ignore();
    return table_edit_commit(edit, import->err);
}

static int show(struct import *import)
{
    struct table_view *view = table_view_open(import->ctl->table, import->err);
    if (view == NULL)
        return -1;
    int rc = compare(import, view);
    table_view_close(view);
    return rc;
}

static void print_counts(const struct import *import)
{
    const struct merge_counts *counts = &import->counts;
    if (import->ctl->options.dry_run)
        fputs("dry run: ", stdout);
    printf("%zu added, %zu changed, %zu removed, %zu unchanged", counts->added, counts->changed,
           counts->removed, counts->same);
    if (import->bad > 0)
        printf(", %zu bad lines skipped", import->bad);
    if (import->other > 0)
        printf(", %zu lines not carried over", import->other);
    putchar('\n');
}

/* The writer's lock is taken when all has been read: a slow file holds nobody up. */
static int import_stream(struct import *import, const struct format *format)
{
    const struct ctl *ctl = import->ctl;
    const char *folder = getenv("TMPDIR");
    const struct merge_watch watch = {.repeated = on_repeated,
                                      .difference = ctl->options.dry_run ? on_difference : NULL,
                                      .progress = on_progress,
                                      .data = import};
    import->merge = merge_new((size_t)ctl->settings->sort_buffer * 1024 * 1024,
                              folder == NULL || *folder == '\0' ? ctl->path : folder,
                              ctl->options.replace_all, &watch);
    if (import->merge == NULL)
        return error_set(import->err, EX_OSERR, "out of memory");

    interrupt_says("nothing is changed", NULL);
    import->err->text[0] = '\0';
    int rc = read_file(import, format);
    if (rc != 0)
        error_at(import->err, import->file, 0);
    else
        rc = ctl->options.dry_run ? show(import) : change(import);
    if (rc == 0)
        print_counts(import);
    merge_free(import->merge);
    return rc;
}

static int import(struct ctl *ctl, char **args, struct error *err)
{
    struct import import = {.ctl = ctl, .file = args[0], .in = stdin, .err = err};
    char domain[ADDRESS_DOMAIN_MAX + 1];
    const struct format *format = format_find(ctl->options.format, args[0], err);
    if (format == NULL || ctl_parse_domain(ctl, domain, err) != 0)
        return -1;
    import.rules = ctl->settings->addresses;
    if (*domain != '\0')
        import.rules.local_domain = domain;
    if (strcmp(args[0], "-") == 0) {
        import.file = "standard input";
        return import_stream(&import, format);
    }
    import.in = fopen(args[0], "r");
    if (import.in == NULL) {
        error_set(err, error_status(errno), "%s", strerror(errno));
        return error_at(err, args[0], 0);
    }
    int rc = import_stream(&import, format);
    fclose(import.in);
    return rc;
}

const struct command command_import = {
    .name = "import",
    .usage = "import [--format F] [--domain D] [--replace-all] [--dry-run] [--skip-bad] FILE|-",
    .summary = "Puts the entries of a file, all or nothing",
    .details =
        "Entries that are there already are replaced. Every bad line is named, and then "
        "nothing is changed.\n"
        "What does not fit into import.sort_buffer MiB of memory goes through a temporary "
        "file in TMPDIR,\n"
        "or else in the folder of the table.\n"
        "\n"
        "  --domain D    of the old names that have none\n"
        "  --replace-all the table then has the entries of the file and no others\n"
        "  --dry-run     writes nothing, and prints what would be added (+), changed (~) and "
        "removed (-)\n"
        "  --skip-bad    imports the lines that are not bad\n",
    .explain = print_formats,
    .takes = "format domain replace-all dry-run skip-bad",
    .least = 1,
    .most = 1,
    .opens = TABLE_TO_WRITE,
    .run = import,
};
