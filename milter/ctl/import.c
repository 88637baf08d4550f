/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/import.c: put the entries of a file, in one transaction */
#include "ctl/apply.h"
#include "ctl/progress.h"
#include "format/columns.h"
#include "format/format.h"
#include "table/merge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TELL_EACH 256 /* lines between two updates of the progress */

struct import {
    const struct ctl *ctl;
    const struct format *format;
    struct format_in in;
    struct address_rules rules;
    struct columns columns;
    unsigned max_remove; /* per cent */
    int64_t lasts, now;  /* --for, in seconds; 0: not given */
    FILE *file;
    off_t size; /* of the file in octets; 0: not known */
    struct apply apply;
    size_t entries, bad, other;
    struct error *err;
};

/* ---- the lines */

static int on_bad(const struct error *why, unsigned long line, void *data)
{
    struct import *import = data;
    struct error err = *why;
    error_at(&err, import->in.name, line);
    progress_clear();
    if (why->status == EX_DATAERR) {
        fprintf(stderr, "movedctl: %s\n", err.text);
        import->bad++;
        return 0;
    }
    if (why->status == EX_UNAVAILABLE || import->ctl->options.verbose)
        ctl_warn("%s", err.text);
    import->other++;
    return 0;
}

/* Whether Postfix looks the domain up in two forms, each of which has a line of its own. */
static bool has_two_forms(const struct entry *entry)
{
    char unicode[4 * ADDRESS_DOMAIN_MAX + 1];
    return address_domain_to_unicode(unicode, sizeof unicode, entry->domain) == 0 &&
           strcmp(unicode, entry->domain) != 0;
}

static void on_repeated(const struct entry *entry, unsigned long line, unsigned long first,
                        bool same, void *data)
{
    struct import *import = ((struct apply *)data)->data;
    char old[ADDRESS_TEXT_SIZE];
    struct error err;

    entry_format_old(old, sizeof old, entry);
    if (!same || !import->format->repeats) {
        error_set(&err, EX_DATAERR, "old: '%s' is already on line %lu: write it once", old, first);
        on_bad(&err, line, import);
    } else if (!has_two_forms(entry)) { /* postmap(1) warns, and goes on */
        ctl_warn("%s:%lu: old: '%s' is already on line %lu, with the same new address",
                 import->in.name, line, old, first);
    }
}

static int on_entry(const struct entry *entry, unsigned long line, void *data)
{
    struct import *import = data;
    if (++import->entries % TELL_EACH == 0)
        progress_tell(import->entries, (double)ftello(import->file), (double)import->size);
    struct entry ending;
    if (import->lasts > 0) {
        ending = *entry;
        ctl_end_after(&ending, import->lasts, import->now);
        entry = &ending;
    }
    int rc = merge_add(import->apply.merge, entry, line, import->err);
    return rc != 0 && import->err->status == EX_DATAERR ? on_bad(import->err, line, data) : rc;
}

/* ---- what comes of it */

static int may_change(void *data, struct error *err)
{
    const struct import *import = data;
    const struct merge_counts *counts = &import->apply.counts;
    size_t all = counts->removed + counts->changed + counts->same;
    bool one = import->bad == 1;
    if (import->bad > 0 && !import->ctl->options.skip_bad)
        return error_set(err, EX_DATAERR,
                         "%s: %zu bad line%s; nothing was changed: correct %s, or use --skip-bad",
                         import->in.name, import->bad, one ? "" : "s", one ? "it" : "them");
    /* A truncated file, or the result of a failed query, would remove entries that are still needed. */
    if (merge_removes_too_many(counts->removed, all, import->max_remove))
        return error_set(
            err, EX_DATAERR,
            "%s: %zu of %zu old addresses are missing from it, more than %u per cent; nothing was "
            "changed: correct the file, or use --max-remove %u",
            import->in.name, counts->removed, all, import->max_remove,
            merge_percent(counts->removed, all));
    return 0;
}

/* The table is locked only after the whole file was read, so a slow file blocks no other writer. */
static int import_stream(struct import *import)
{
    struct apply *apply = &import->apply;
    struct stat status;
    *apply = (struct apply){
        .ctl = import->ctl, .repeated = on_repeated, .may = may_change, .data = import};
    if (apply_begin(apply, import->ctl->options.replace_all, import->err) != 0)
        return -1;
    if (fstat(fileno(import->file), &status) == 0 && S_ISREG(status.st_mode))
        import->size = status.st_size;
    progress_begin("reading", "entries", 0);
    int rc = import->format->read(import->file, &import->in, import->err);
    progress_clear();
    if (rc == 0)
        rc = apply_run(apply, import->err);
    if (rc == 0) {
        apply_print(apply);
        if (import->bad > 0)
            printf(", %zu bad line%s skipped", import->bad, import->bad == 1 ? "" : "s");
        if (import->other > 0)
            printf(", %zu line%s not carried over", import->other, import->other == 1 ? "" : "s");
        putchar('\n');
    }
    merge_free(apply->merge);
    return rc;
}

/* ---- the options */

static int parse_options(struct import *import, const struct options *options, char *domain,
                         struct error *err)
{
    const char *columns = options->columns, *delimiter = options->delimiter,
               *limit = options->max_remove;
    uint64_t percent = MERGE_PERCENT;
    columns_begin(&import->columns);
    if (ctl_parse_domain(import->ctl, domain, err) != 0)
        return -1;
    if ((columns != NULL || delimiter != NULL) && !import->format->has_columns)
        return error_set(err, EX_USAGE, "%s is for files with columns: %s has none",
                         columns != NULL ? "--columns" : "--delimiter", import->format->name);
    if ((columns != NULL && columns_parse(&import->columns, columns, err) != 0) ||
        (delimiter != NULL && columns_parse_delimiter(&import->columns, delimiter, err) != 0))
        return -1;
    if (limit != NULL && !ctl_parse_number(&percent, limit, 100))
        return error_set(err, EX_USAGE,
                         "--max-remove: '%s' is not a limit: write per cent, 0 to 100 (no limit)",
                         limit);
    if (limit != NULL && !options->replace_all)
        return error_set(err, EX_USAGE, "--max-remove requires --replace-all: use both");
    import->max_remove = (unsigned)percent;
    import->now = time(NULL);
    import->rules = import->ctl->settings->addresses;
    if (*domain != '\0')
        import->rules.local_domain = domain;
    return ctl_parse_for(import->ctl, &import->lasts, err);
}

static int import(struct ctl *ctl, char **args, struct error *err)
{
    bool is_stdin = strcmp(args[0], "-") == 0;
    struct import import = {.ctl = ctl, .file = stdin, .err = err};
    char domain[ADDRESS_DOMAIN_MAX + 1];

    import.format = format_find(ctl->options.format, args[0], err);
    if (import.format == NULL || parse_options(&import, &ctl->options, domain, err) != 0)
        return -1;
    import.in = (struct format_in){.name = is_stdin ? "standard input" : args[0],
                                   .rules = &import.rules,
                                   .columns = &import.columns,
                                   .must_end = ctl->options.replace_all,
                                   .entry = on_entry,
                                   .bad = on_bad,
                                   .data = &import};
    if (!is_stdin && (import.file = fopen(args[0], "r")) == NULL)
        return error_set(err, error_status(errno), "%s: %s", args[0], strerror(errno));
    int rc = import_stream(&import);
    if (!is_stdin)
        fclose(import.file);
    return rc;
}

const struct command command_import = {
    .name = "import",
    .usage = "import [OPTION...] FILE|-",
    .summary = "Add the entries in a file, all or none",
    .details = "Existing entries are replaced. If any line is bad, all bad lines are reported\n"
               "and nothing is changed. A file that needs more memory than import.sort_buffer\n"
               "MiB is sorted in a temporary file in TMPDIR, or in the folder of the table.\n"
               "\n"
               "  --replace-all   also remove the entries that are not in the file\n"
               "  --max-remove P  with --replace-all: refuse to remove more than P per cent of\n"
               "                  the entries and more than 20 (default 10; 100: no limit)\n"
               "  --dry-run       change nothing; print what would be added (+), changed (~)\n"
               "                  and removed (-)\n"
               "  --skip-bad      skip bad lines and import the others\n"
               "  --verbose       report each line that does not become an entry, such as an\n"
               "                  ordinary alias; by default these are only counted\n"
               "  --for D         entries without until end D from now, such as 180d or 26w\n"
               "  --domain D      the domain of old addresses that have none\n"
               "  --columns old=NAME,new=NAME,...\n"
               "                  the column names of a CSV file from another program\n"
               "  --delimiter C   the column separator, such as ';', or '\\t' for a tab\n",
    .example = "movedctl import --replace-all --dry-run moved.csv\n"
               "movedctl import --delimiter ';' --columns old=Mail,new=Target people.csv",
    .operands = "FILE",
    .explain = print_formats,
    .takes = "format for domain columns delimiter replace-all max-remove dry-run skip-bad verbose",
    .args = {1, 1},
    .opens = TABLE_TO_WRITE,
    .run = import,
};
