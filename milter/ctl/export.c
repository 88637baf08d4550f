/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/export.c: write the entries to a file, as they all were at one moment */
#include "ctl/ctl.h"

#include "base/place.h"
#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "format/format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TELL_EACH 256 /* entries between two updates of the progress */

struct export
{
    const struct format *format;
    const char *domain; /* only its entries; NULL: all */
    struct format_out out;
    size_t less, refused;
    size_t done, all; /* entries; all 0: not known */
    struct progress progress;
    bool terminal; /* out.file is a memory stream of what is to be shown next: */
    char *text;
    size_t length;
};

/* ---- the entries */

static void warn_of(struct export *export, const struct entry *entry, const char *what,
                    const struct error *why)
{
    char old[ADDRESS_TEXT_SIZE];
    progress_clear(&export->progress);
    entry_format_old(old, sizeof old, entry);
    ctl_warn("%s: %s: %s", old, what, why->text);
}

/* Whoever wrote a note into the table must not control the terminal of whoever reads it. */
static void show_on_terminal(struct export *export)
{
    if (!export->terminal || fflush(export->out.file) != 0)
        return;
    print_foreign(export->text, export->length);
    rewind(export->out.file);
}

static int write_one(const struct entry *entry, void *data, struct error *err)
{
    struct export *export = data;
    show_on_terminal(export);
    if (++export->done % TELL_EACH == 0)
        progress_tell(&export->progress, export->done, (double)export->done, (double)export->all);
    switch (export->format->write(&export->out, entry, err)) {
    case FORMAT_WHOLE: break;
    case FORMAT_LESS:
        export->less++;
        warn_of(export, entry, "written without", err);
        break;
    case FORMAT_REFUSED:
        export->refused++;
        warn_of(export, entry, "left out", err);
        break;
    case FORMAT_FAILED: return -1;
    }
    return 0;
}

static int write_all(const struct ctl *ctl, struct export *export, struct error *err)
{
    int rc = 0;
    if (export->domain == NULL && table_count(ctl->table, &export->all, err) != 0)
        return -1;
    export->out.view = table_view_open(ctl->table, err);
    if (export->out.view == NULL)
        return -1;
    progress_begin(&export->progress, "exporting");
    if (export->format->write_head != NULL)
        rc = export->format->write_head(export->out.file, err);
    if (rc == 0)
        rc = table_each(export->out.view, export->domain, write_one, export, err);
    table_view_close(export->out.view);
    show_on_terminal(export);
    progress_clear(&export->progress);
    if (rc == 0 && (fflush(export->out.file) != 0 || ferror(export->out.file)))
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    return rc;
}

/* A script that runs export expects all entries. */
static int check_whole(const struct ctl *ctl, const struct export *export, struct error *err)
{
    if (export->less + export->refused == 0 || ctl->options.skip_bad)
        return 0;
    return error_set(err, EX_DATAERR,
                     "%zu entries left out and %zu written in part, see above: use --skip-bad if "
                     "that is intended",
                     export->refused, export->less);
}

/* ---- the file */

/* The temporary file, which is renamed when it is complete. */
static struct {
    int folder;
    char name[NAME_MAX + 1]; /* "": there is none */
} fresh;

static void remove_fresh(void)
{
    if (*fresh.name != '\0')
        unlinkat(fresh.folder, fresh.name, 0);
}

/* Pipes, devices and the links of /proc (/dev/stdout) are written to as they are. */
static bool is_special(const struct place *place, struct stat *status)
{
    return place->there && fstatat(place->folder, place->name, status, AT_SYMLINK_NOFOLLOW) == 0 &&
           !S_ISREG(status->st_mode);
}

static int open_special(const struct place *place)
{
    errno = ENOTSUP;
    return place->owner != 0 ? -1 /* another user could make the open wait forever */
                             : openat(place->folder, place->name, O_WRONLY | O_TRUNC | O_NOCTTY);
}

/* The new file gets owner and mode of the old one, if permitted, because mail servers read it. */
static int open_fresh(const struct place *place, const struct stat *old)
{
    snprintf(fresh.name, sizeof fresh.name, "%.230s.%ld", place->name, (long)getpid());
    fresh.folder = place->folder;
    int fd = openat(fresh.folder, fresh.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0666);
    if (fd < 0)
        fresh.name[0] = '\0'; /* it is not ours */
    else if (place->there && fchown(fd, old->st_uid, old->st_gid) == 0)
        (void)fchmod(fd, old->st_mode & 07777);
    return fd;
}

static int write_whole(const struct ctl *ctl, struct export *export, struct error *err)
{
    int rc = write_all(ctl, export, err);
    if (rc == 0)
        rc = check_whole(ctl, export, err);
    if (rc == 0 && *fresh.name != '\0' && fsync(fileno(export->out.file)) != 0)
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    if (fclose(export->out.file) != 0 && rc == 0)
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    return rc;
}

static int put_in_place(const struct place *place, int rc, struct error *err)
{
    if (place_enter(place, err) != 0)
        return -1;
    if (rc == 0 && *fresh.name != '\0' &&
        renameat(fresh.folder, fresh.name, place->folder, place->name) != 0)
        rc = error_set(err, EX_CANTCREAT, "%s", strerror(errno));
    if (rc != 0)
        remove_fresh();
    place_leave(place);
    return rc;
}

static int write_at(const struct ctl *ctl, struct export *export, const struct place *place,
                    struct error *err)
{
    struct stat old;
    if (*place->name == '\0')
        return error_set(err, EX_CANTCREAT, "%s", strerror(EISDIR));
    if (place_enter(place, err) != 0)
        return -1;
    int fd = is_special(place, &old) ? open_special(place) : open_fresh(place, &old);
    export->out.file = fd < 0 ? NULL : fdopen(fd, "w");
    int reason = errno;
    place_leave(place);
    if (export->out.file == NULL)
        return error_set(err, EX_CANTCREAT, "%s", strerror(reason));
    return put_in_place(place, write_whole(ctl, export, err), err);
}

/* A file appears whole or not at all; a link to it stays. */
static int write_file(const struct ctl *ctl, struct export *export, const char *file,
                      struct error *err)
{
    struct place place;
    if (place_find(&place, file, err) != 0) {
        err->status = EX_CANTCREAT;
        return -1;
    }
    interrupt_says("the file is not written", remove_fresh);
    int rc = write_at(ctl, export, &place, err);
    interrupt_ignore();
    place_free(&place);
    return rc == 0 ? 0 : error_at(err, file, 0);
}

static int write_stdout(const struct ctl *ctl, struct export *export, struct error *err)
{
    export->terminal = isatty(STDOUT_FILENO);
    export->out.file = export->terminal ? open_memstream(&export->text, &export->length) : stdout;
    if (export->out.file == NULL)
        return error_no_memory(err);
    int rc = write_all(ctl, export, err);
    if (export->terminal && (fclose(export->out.file) != 0 || fflush(stdout) != 0) && rc == 0)
        rc = print_failed(err);
    free(export->text);
    if (rc != 0)
        error_at(err, "standard output", 0);
    return rc == 0 ? check_whole(ctl, export, err) : rc;
}

static int export_table(struct ctl *ctl, char **args, struct error *err)
{
    const struct settings *settings = ctl->settings;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    const char *file = args[0] == NULL || strcmp(args[0], "-") == 0 ? NULL : args[0];
    struct export export = {
        .format = format_find(ctl->options.format, file, err),
        .out = {.local_domain = settings->addresses.local_domain,
                .fold_case = settings->fold_case,
                .disclose = ENTRY_ANYONE + settings->disclose},
    };

    if (export.format == NULL)
        return -1;
    if (ctl_parse_domain(ctl, domain, err) != 0)
        return -1;
    if (*domain != '\0')
        export.domain = export.out.local_domain = domain;
    return file == NULL ? write_stdout(ctl, &export, err) : write_file(ctl, &export, file, err);
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
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = export_table,
};
