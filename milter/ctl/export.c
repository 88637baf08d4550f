/* ctl/export.c: write the entries to a file, as they all were at one moment */
#include "ctl/ctl.h"

#include "table/format.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct export
{
    const struct format *format;
    FILE *out;
};

static int write_one(const struct entry *entry, void *data, struct error *err)
{
    const struct export *export = data;
    return export->format->write(export->out, entry, err);
}

static int write_all(const struct ctl *ctl, const struct export *export, struct error *err)
{
    struct table_view *view = table_view_open(ctl->table, err);
    if (view == NULL)
        return -1;
    int rc = export->format->write_head(export->out, err);
    if (rc == 0)
        rc = table_each(view, NULL, write_one, (void *)export, err);
    table_view_close(view);
    if (rc == 0 && (fflush(export->out) != 0 || ferror(export->out)))
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    return rc;
}

/* A file appears whole or not at all: it is written beside its place and moved there. */
static int write_file(const struct ctl *ctl, const struct format *format, const char *file,
                      struct error *err)
{
    char fresh[PATH_MAX];
    struct stat status;
    struct export export = {.format = format};
    bool special = stat(file, &status) == 0 && !S_ISREG(status.st_mode); /* a pipe, /dev/full */

    snprintf(fresh, sizeof fresh, special ? "%s" : "%s.%ld", file, (long)getpid());
    export.out = fopen(fresh, special ? "w" : "wx");
    if (export.out == NULL)
        return error_set(err, EX_CANTCREAT, "%s: %s", file, strerror(errno));
    int rc = write_all(ctl, &export, err);
    if (rc == 0 && !special && fsync(fileno(export.out)) != 0)
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    if (fclose(export.out) != 0 && rc == 0)
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    if (rc == 0 && !special && rename(fresh, file) != 0)
        rc = error_set(err, EX_CANTCREAT, "%s", strerror(errno));
    if (rc != 0 && !special)
        unlink(fresh);
    return rc == 0 ? 0 : error_at(err, file, 0);
}

static int export_table(struct ctl *ctl, char **args, struct error *err)
{
    const struct format *format =
        format_find(ctl->options.format == NULL ? "csv" : ctl->options.format, err);
    if (format == NULL)
        return -1;
    if (args[0] != NULL && strcmp(args[0], "-") != 0)
        return write_file(ctl, format, args[0], err);
    const struct export export = {format, stdout};
    return write_all(ctl, &export, err) == 0 ? 0 : error_at(err, "standard output", 0);
}

const struct command command_export = {
    .name = "export",
    .usage = "export [--format F] [FILE]",
    .summary = "Writes all entries, as they were at one moment",
    .details = "To standard output, or to FILE, which appears whole or not at all.\n"
               "\n"
               "  --format F  csv (the default)\n",
    .takes = "format",
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = export_table,
};
