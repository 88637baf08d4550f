/* ctl/import.c: put the entries of a file, in one transaction */
#include "ctl/apply.h"
#include "format/format.h"

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
    struct apply apply;
    size_t entries, bad, other;
    struct error *err;
};

/* ---- what the file says */

static int on_bad(const struct error *why, unsigned long line, void *data)
{
    struct import *import = data;
    struct error err = *why;
    error_at(&err, import->file, line);
    progress_clear(&import->apply.progress);
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
        progress_tell(&import->apply.progress, import->entries, (double)ftello(import->in),
                      (double)import->size);
    return merge_add(import->apply.merge, entry, line, import->err);
}

static int read_file(struct import *import, const struct format *format)
{
    struct stat status;
    if (fstat(fileno(import->in), &status) == 0 && S_ISREG(status.st_mode))
        import->size = status.st_size;
    progress_begin(&import->apply.progress, "reading");
    int rc = format->read(import->in, &import->rules, on_entry, on_bad, import, import->err);
    progress_clear(&import->apply.progress);
    return rc;
}

/* ---- what comes of it */

static int may_change(void *data, struct error *err)
{
    const struct import *import = data;
    bool one = import->bad == 1;
    if (import->bad == 0 || import->ctl->options.skip_bad)
        return 0;
    return error_set(err, EX_DATAERR,
                     "%s: %zu bad line%s, nothing is changed: mend %s, or write --skip-bad",
                     import->file, import->bad, one ? "" : "s", one ? "it" : "them");
}

static void print_counts(const struct import *import)
{
    apply_print(&import->apply);
    if (import->bad > 0)
        printf(", %zu bad line%s skipped", import->bad, import->bad == 1 ? "" : "s");
    if (import->other > 0)
        printf(", %zu line%s not carried over", import->other, import->other == 1 ? "" : "s");
    putchar('\n');
}

/* The writer's lock is taken when all has been read: a slow file holds nobody up. */
static int import_stream(struct import *import, const struct format *format)
{
    struct apply *apply = &import->apply;
    *apply = (struct apply){
        .ctl = import->ctl, .repeated = on_repeated, .may = may_change, .data = import};
    if (apply_begin(apply, import->ctl->options.replace_all, import->err) != 0)
        return -1;
    import->err->text[0] = '\0';
    int rc = read_file(import, format);
    if (rc != 0)
        error_at(import->err, import->file, 0);
    else
        rc = apply_run(apply, import->err);
    if (rc == 0)
        print_counts(import);
    apply_end(apply);
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
    .usage = "import [OPTION...] FILE|-",
    .summary = "Puts the entries of a file, all or nothing",
    .details =
        "Entries that are there already are replaced. Every bad line is named, and then "
        "nothing is changed.\n"
        "What does not fit into import.sort_buffer MiB of memory goes through a temporary "
        "file in TMPDIR,\n"
        "or else in the folder of the table.\n"
        "\n"
        "  --domain D    the domain of old names that have none\n"
        "  --replace-all the table then has the entries of the file and no others\n"
        "  --dry-run     writes nothing, and prints what would be added (+), changed (~) and "
        "removed (-)\n"
        "  --skip-bad    imports the lines that are not bad\n"
        "  --backup DIR  makes a copy of the table as it is before: undo takes an import back, but "
        "not one\n"
        "                of very many entries, which says so\n",
    .explain = print_formats,
    .takes = "format domain replace-all dry-run skip-bad backup",
    .least = 1,
    .most = 1,
    .opens = TABLE_TO_WRITE,
    .run = import,
};
