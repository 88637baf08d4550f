/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/ctl.c: what the commands share */
#include "ctl/ctl.h"

#include "base/guess.h"
#include "base/printable.h"
#include "ctl/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ctl_warn(const char *format, ...)
{
    char text[sizeof((struct error *)NULL)->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printable_make(text);
    progress_clear();
    fprintf(stderr, "movedctl: warning: %s\n", text);
}

int ctl_read_settings(struct settings **out, const char *given, struct error *err)
{
    bool is_default;
    const char *file = settings_path(given, &is_default);
    if (is_default && access(file, F_OK) != 0 && errno == ENOENT) {
        *out = settings_new();
        return *out == NULL ? error_no_memory(err) : 0;
    }
    return settings_read(out, file, err);
}

int ctl_parse_old(const struct ctl *ctl, const char *old, struct entry *out, struct error *err)
{
    return entry_parse_old(out, old, &ctl->settings->addresses, err);
}

int ctl_parse_domain(const struct ctl *ctl, char *domain, struct error *err)
{
    const char *asked = ctl->options.domain;
    domain[0] = '\0';
    if (asked != NULL && address_domain_parse(domain, asked, strlen(asked), err) != 0)
        return error_at(err, "--domain", 0);
    return 0;
}

int ctl_parse_duration(int64_t *out, const char *option, const char *text, struct error *err)
{
    const int64_t start = 1;
    char relative[64];
    int64_t end;
    snprintf(relative, sizeof relative, "+%s", text);
    if (strlen(text) + 2 > sizeof relative || timestamp_parse(&end, relative, start, NULL) != 0)
        return error_set(err, EX_DATAERR, "%s: no duration '%.60s': write 180d, 26w or 12h", option,
                         text);
    *out = end - start;
    return 0;
}

bool ctl_parse_number(uint64_t *out, const char *text, uint64_t most)
{
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0' || errno != 0 || number > most)
        return false;
    *out = number;
    return true;
}

int ctl_parse_for(const struct ctl *ctl, int64_t *seconds, struct error *err)
{
    const char *lasts = ctl->options.lasts;
    *seconds = 0;
    if (lasts == NULL || ctl_parse_duration(seconds, "--for", lasts, err) != 0)
        return lasts == NULL ? 0 : -1;
    return *seconds > 0
               ? 0
               : error_set(err, EX_DATAERR,
                           "--for: '%.60s' is no time at all: write 180d, 26w or 12h", lasts);
}

void ctl_end_after(struct entry *entry, int64_t seconds, int64_t now)
{
    int64_t end = (entry->from > now ? entry->from : now) + seconds;
    if (seconds > 0 && entry->until == TIMESTAMP_NONE && end <= TIMESTAMP_LAST)
        entry->until = end;
}

const char *ctl_temporary_folder(const struct ctl *ctl)
{
    const char *folder = getenv("TMPDIR");
    return folder == NULL || *folder == '\0' ? ctl->path : folder;
}

/* ---- walking through the table */

#define PAGE 128 /* entries that are read in one view: an open one makes the table's file grow */

struct page {
    const char *domain; /* NULL: all */
    size_t count;
    struct entry entries[PAGE];
};

static int keep(const struct entry *entry, void *data, struct error *err)
{
    struct page *page = data;
    (void)err;
    if (page->domain != NULL && strcmp(entry->domain, page->domain) != 0)
        return 1; /* behind the domain's last entry */
    page->entries[page->count++] = *entry;
    return page->count == PAGE;
}

int ctl_each(struct table *table, const char *domain,
             int (*each)(const struct entry *entry, void *data, struct error *err), void *data,
             struct error *err)
{
    struct page *page = calloc(1, sizeof *page);
    int rc = page == NULL ? error_no_memory(err) : 0;
    for (bool first = true; rc == 0 && (first || page->count == PAGE); first = false) {
        struct table_view *view = table_view_open(table, err);
        page->domain = domain;
        page->count = 0;
        rc = view == NULL ? -1
             : first      ? table_each(view, domain, keep, page, err)
                          : table_each_after(view, &page->entries[PAGE - 1], keep, page, err);
        table_view_close(view);
        rc = rc < 0 ? -1 : 0;
        for (size_t i = 0; rc == 0 && i < page->count; i++)
            rc = each(&page->entries[i], data, err);
    }
    free(page);
    return rc;
}

/* ---- changing the table */

static void on_alarm(int number)
{
    static const char text[] =
        "movedctl: waiting for another process to finish changing the table\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

/* LMDB's lock does not tell that another process holds it, so a message appears after a second. */
struct table_edit *ctl_edit_begin(const struct ctl *ctl, struct error *err)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    if (isatty(STDERR_FILENO)) {
        sigaction(SIGALRM, &action, NULL);
        alarm(1);
    }
    ctl_sign(ctl);
    struct table_edit *edit = table_edit_begin(ctl->table, err);
    alarm(0);
    return edit;
}

/* ---- commands */

bool ctl_has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; at != NULL && (at = strstr(at, word)) != NULL; at++)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

const struct command *command_find(const struct command *const *all, const char *name,
                                   struct error *err)
{
    const char *meant = NULL; /* another program calls it by this name, or its name is near */
    struct guess guess;
    guess_begin(&guess, name);
    for (; *all != NULL; all++) {
        if (strcmp((*all)->name, name) == 0)
            return *all;
        if (*name != '\0' && ctl_has_word((*all)->also, name))
            meant = (*all)->name;
        if ((*all)->summary != NULL)
            guess_try(&guess, (*all)->name);
    }
    if (meant == NULL)
        meant = guess.nearest;
    error_set(err, EX_USAGE, "no such command '%s': %s%s%ssee movedctl help", name,
              meant == NULL ? "" : "did you mean ", meant == NULL ? "" : meant,
              meant == NULL ? "" : "? ");
    return NULL;
}
