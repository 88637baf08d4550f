/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon.h"

#include "daemon/counters.h"
#include "daemon/logger.h"
#include "daemon/service.h"
#include "daemon/session.h"
#include "table/table.h"

#include <ftw.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static const struct entry_text entries[] = {
    {.old = "alice@old.example", .new = "alice@new.example"},
    {.old = "alice+list@old.example", .new = "lists@new.example", .disclose = "trusted"},
    {.old = "shy@old.example", .new = "shy@new.example", .disclose = "nobody"},
    {.old = "gone@old.example"},
    {.old = "fwd@old.example", .new = "fwd@new.example", .action = "forward"},
    {.old = "fwd2@old.example", .new = "fwd@new.example", .action = "forward"},
    {.old = "percent@old.example", .new = "a%0b%%@new.example"},
    {.old = "\"two words\"@old.example", .new = "\"two words\"@new.example"},
    {.old = "j\xc3\xb6rg@old.example",
     .new = "j\xc3\xbcrgen@b\xc3\xbc"
            "cher.example"},
    {.old = "first@old.example", .new = "second@old.example"},
    {.old = "second@old.example", .new = "third@new.example"},
    {.old = "loop@old.example", .new = "pool@old.example"},
    {.old = "pool@old.example", .new = "loop@old.example"},
    {.old = "@bulk.example", .new = "@new.example"},
    {.old = "stays@bulk.example", .action = "stay"},
    {.old = "@.sub.example", .new = "@new.example", .action = "forward"},
};

static char folder[64], socket_name[96];
static struct settings *settings;

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void clean_up(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void fail(const struct error *err)
{
    fprintf(stderr, "%s\n", err->text);
    abort();
}

static void fill_table(const char *path)
{
    struct table *table;
    struct entry entry;
    struct error err;
    if (table_create(path, true, NULL, (uid_t)-1, (gid_t)-1, &err) != 0 ||
        table_open(&table, path, TABLE_WRITE, true, &err) != 0)
        fail(&err);
    struct table_edit *edit = table_edit_begin(table, &err);
    for (size_t i = 0; edit != NULL && i < sizeof entries / sizeof *entries; i++)
        if (entry_parse(&entry, &entries[i], &settings->addresses, &err) != 0 ||
            table_edit_put(edit, &entry, true, &err) == TABLE_FAILED)
            fail(&err);
    if (edit == NULL || table_edit_commit(edit, &err) != 0)
        fail(&err);
    table_free(table);
}

static void *serve(void *unused)
{
    (void)unused;
    smfi_main();
    return NULL;
}

static void start(void)
{
    pthread_t thread;
    struct error err;
    char connection[sizeof socket_name + 8];

    snprintf(socket_name, sizeof socket_name, "%s/sock", folder);
    snprintf(connection, sizeof connection, "unix:%s", socket_name);
    counters_start();
    settings->log_level = LOG_DEBUG;
    log_reconfigure(
        settings); /* no thread writes them: they fill a queue, and then they are lost */
    if (service_start(settings, &err) != 0 || session_register(&err) != 0)
        fail(&err);
    if (smfi_setconn(connection) != MI_SUCCESS || smfi_opensocket(1) != MI_SUCCESS ||
        pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
    pthread_detach(thread);
}

struct settings *fuzz_daemon_start(void)
{
    char path[sizeof folder + 8];
    if (settings != NULL)
        return settings;
    snprintf(folder, sizeof folder, "/tmp/fuzz-XXXXXX");
    settings = settings_new();
    if (mkdtemp(folder) == NULL || settings == NULL)
        abort();
    atexit(clean_up);
    /* libmilter writes a line on each bad packet, which is not for the log of this host. */
    setlogmask(LOG_MASK(LOG_DEBUG));
    snprintf(path, sizeof path, "%s/table", folder);
    free(settings->table);
    settings->table = strdup(path);
    fill_table(path);
    start();
    return settings;
}

int fuzz_daemon_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_name);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        perror(socket_name);
        abort();
    }
    return fd;
}
