/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/export.c: write the entries to a file, as they all were at one moment */
#include "ctl/ctl.h"

#include "ctl/interrupt.h"
#include "ctl/outfile.h"
#include "ctl/progress.h"
#include "format/format.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE (64 * 1024) /* more than an entry has in any format */

struct export
{
    const struct format *format;
    const char *domain; /* only its entries; NULL: all */
    bool shows;         /* on a terminal */
    struct format_out out;
    size_t less, refused;
};

static int write_one(const struct entry *entry, void *data, struct error *err)
{
    struct export *export = data;
    char old[ADDRESS_TEXT_SIZE];
    progress_step();
    enum format_result result = export->format->write(&export->out, entry, err);
    if (result == FORMAT_WHOLE || result == FORMAT_FAILED)
        return result == FORMAT_WHOLE ? 0 : -1;
    export->less += result == FORMAT_LESS;
    export->refused += result == FORMAT_REFUSED;
    entry_format_old(old, sizeof old, entry);
    ctl_warn("%s: %s: %s", old, result == FORMAT_LESS ? "written without" : "left out", err->text);
    return 0;
}

static int write_all(const struct ctl *ctl, struct export *export, struct error *err)
{
    int rc = 0;
    size_t all = 0;
    if (export->domain == NULL && table_count(ctl->table, &all, err) != 0)
        return -1;
    export->out.view = table_view_open(ctl->table, err);
    if (export->out.view == NULL)
        return -1;
    if (!export->shows)
        progress_begin("exporting", "entries", all);
    if (export->format->write_head != NULL)
        rc = export->format->write_head(export->out.file, err);
    if (rc == 0)
        rc = table_each(export->out.view, export->domain, write_one, export, err);
    table_view_close(export->out.view);
    progress_clear();
    return rc;
}

/* A note in the table may come from anybody, and must not control the terminal. */
static ssize_t show(void *cookie, const char *text, size_t length)
{
    (void)cookie;
    print_foreign(text, length);
    return (ssize_t)length;
}

static int export_table(struct ctl *ctl, char **args, struct error *err)
{
    const struct settings *settings = ctl->settings;
    const char *file = args[0] == NULL || strcmp(args[0], "-") == 0 ? NULL : args[0];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct export export = {
        .format = format_find(ctl->options.format, file, err),
        .shows = file == NULL && print_is_terminal(),
        .out = {.local_domain = settings->addresses.local_domain,
                .fold_case = settings->fold_case,
                .disclose = ENTRY_ANYONE + settings->disclose},
    };

    if (export.format == NULL || ctl_parse_domain(ctl, domain, err) != 0)
        return -1;
    if (*domain != '\0')
        export.domain = export.out.local_domain = domain;
    if (file != NULL)
        interrupt_says("the file is not written", outfile_remove);
    export.out.file = file != NULL ? outfile_open(file, err)
                      : export.shows
                          ? fopencookie(NULL, "w", (cookie_io_functions_t){.write = show})
                          : stdout;
    if (export.out.file == NULL)
        return file != NULL ? -1 : error_no_memory(err);
    if (export.shows)
        setvbuf(export.out.file, NULL, _IOLBF, LINE_SIZE);

    int rc = write_all(ctl, &export, err);
    if (export.shows)
        fclose(export.out.file);
    if (rc != 0 && file == NULL)
        return error_at(err, "standard output", 0);
    if (file == NULL && print_flush(err) != 0)
        return -1;
    if (rc == 0 && export.less + export.refused > 0 && !ctl->options.skip_bad)
        rc = error_set(err, EX_DATAERR, /* a script expects all entries */
                       "%zu entries left out and %zu written in part, see above: use --skip-bad if "
                       "that is intended",
                       export.refused, export.less);
    if (file != NULL && (rc = outfile_close(rc, err)) != 0)
        error_at(err, file, 0);
    interrupt_ignore();
    return rc;
}

const struct command command_export = {
    .name = "export",
    .usage = "export [--format F] [--domain D] [--skip-bad] [FILE]",
    .summary = "Write all entries, as of one moment",
    .details = "Writes to standard output, or to FILE, which is complete or left as it was.\n"
               "An entry that the format cannot express in full is reported. Then the exit\n"
               "status is 65.\n"
               "\n"
               "  --domain D      write only the entries of this domain\n"
               "  --skip-bad      write what the format can express, and exit with 0\n",
    .example = "movedctl export moved.csv",
    .operands = "FILE",
    .explain = print_formats,
    .takes = "format domain skip-bad",
    .args = {0, 1},
    .opens = TABLE_TO_READ,
    .run = export_table,
};
