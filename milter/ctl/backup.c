/* ctl/backup.c: copy the table, log and all, as it is at one moment */
#include "ctl/backup.h"

#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "table/changelog.h"
#include "table/copy.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TELL_MS 200 /* between two words of progress */

void backup_part(char *out, size_t size, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    snprintf(out, size, "%.*s.%ld", (int)length, folder, (long)getpid());
}

/* ---- a bar: LMDB copies in one go, so a thread looks how long the file is */

struct watch {
    const char *part;
    double size;      /* of the whole, in octets, about */
    size_t entries;   /* in it */
    int ends[2];      /* of a pipe, whose other end is closed when all is done */
    pthread_t thread; /* where ends[1] is not -1 */
    struct progress progress;
};

static void *look(void *data)
{
    struct watch *watch = data;
    struct pollfd end = {.fd = watch->ends[0], .events = POLLIN};
    struct stat status;
    while (poll(&end, 1, TELL_MS) == 0)
        if (stat(watch->part, &status) == 0 && watch->size > 0)
            progress_tell(&watch->progress,
                          (size_t)((double)watch->entries * (double)status.st_size / watch->size),
                          (double)status.st_size, watch->size);
    return NULL;
}

/* Without a terminal, or a thread, nothing is shown. */
static void watch_begin(struct watch *watch, const struct ctl *ctl, const char *part)
{
    char data[PATH_MAX];
    struct stat status;
    *watch = (struct watch){.part = part, .ends = {-1, -1}};
    progress_begin(&watch->progress, "copying");
    snprintf(data, sizeof data, "%s/data.mdb", ctl->path);
    if (stat(data, &status) != 0 || table_count(ctl->table, &watch->entries, NULL) != 0 ||
        pipe(watch->ends) != 0)
        return;
    watch->size = (double)status.st_size;
    if (pthread_create(&watch->thread, NULL, look, watch) == 0)
        return;
    close(watch->ends[0]);
    close(watch->ends[1]);
    watch->ends[1] = -1;
}

static void watch_end(struct watch *watch)
{
    if (watch->ends[1] < 0)
        return;
    close(watch->ends[1]);
    pthread_join(watch->thread, NULL);
    close(watch->ends[0]);
    progress_clear(&watch->progress);
}

/* ---- copying */

static int copy(const struct ctl *ctl, const char *folder, struct error *err)
{
    char part[PATH_MAX];
    size_t entries;
    struct watch watch;
    backup_part(part, sizeof part, folder);
    interrupt_says("no copy is made, and nothing changed", part);
    watch_begin(&watch, ctl, part);
    int rc = table_backup(ctl->table, folder, part, interrupt_ignore, &entries, err);
    interrupt_ignore(); /* part is ours alone */
    watch_end(&watch);
    if (rc == 0)
        printf("%s: a copy of %zu %s\n", folder, entries, entry_noun(entries));
    return rc;
}

void backup_advise(const struct ctl *ctl, size_t log_octets)
{
    if (log_octets > CHANGELOG_CHANGE_MAX && ctl->options.backup == NULL)
        ctl_warn("more than the change log holds, so that it cannot be undone: write --backup DIR "
                 "to keep a copy of the table first");
}

int backup_before(const struct ctl *ctl, struct error *err)
{
    return ctl->options.backup == NULL ? 0 : copy(ctl, ctl->options.backup, err);
}

static int backup(struct ctl *ctl, char **args, struct error *err)
{
    return copy(ctl, args[0], err);
}

const struct command command_backup = {
    .name = "backup",
    .usage = "backup DIR",
    .summary = "Copies the table, with its change log, as it is at one moment",
    .details = "DIR must not be there yet, and appears when the copy is whole and on disk. It is a "
               "table itself:\n"
               "movedctl -d DIR list shows what is in it. Mail is answered and the table changed "
               "meanwhile.\n",
    .least = 1,
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = backup,
};
