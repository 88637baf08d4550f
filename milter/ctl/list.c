/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/list.c: print the entries, all or some */
#include "ctl/ctl.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The entries read in one view. It is closed before they are printed, because a pager may block the output, and an open
 * view keeps old pages. */
#define PAGE 128

struct page {
    const char *domain;  /* only its entries; "": all */
    const char *pattern; /* NULL: all */
    int64_t now, within; /* only entries that end in so many seconds; 0: all */
    struct entry last;   /* that was read */
    bool begun, done;
    size_t count;
    struct entry entries[PAGE];
};

static int take(const struct entry *entry, void *data, struct error *err)
{
    struct page *page = data;
    char old[ADDRESS_TEXT_SIZE];
    (void)err;
    page->done = *page->domain != '\0' && strcmp(entry->domain, page->domain) != 0;
    if (page->done)
        return 1; /* after the domain's last entry */
    page->begun = true;
    page->last = *entry;
    entry_format_old(old, sizeof old, entry);
    if ((page->pattern == NULL || fnmatch(page->pattern, old, FNM_CASEFOLD) == 0) &&
        (page->within == 0 || entry_ends_within(entry, page->now, page->within)))
        page->entries[page->count++] = *entry;
    return page->count == PAGE;
}

static int read_page(struct table *table, struct page *page, struct error *err)
{
    struct table_view *view = table_view_open(table, err);
    if (view == NULL)
        return -1;
    page->count = 0;
    int rc = page->begun
                 ? table_each_after(view, &page->last, take, page, err)
                 : table_each(view, *page->domain == '\0' ? NULL : page->domain, take, page, err);
    table_view_close(view);
    page->done = page->done || rc == 0;
    return rc < 0 ? -1 : 0;
}

static int print_page(struct list *list, const struct page *page, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < page->count && rc == 0; i++) {
        list_next(list);
        rc = print_entry(&page->entries[i], list->json, err);
    }
    return rc;
}

/* Prints the entries, or only adds them up where count is not NULL. */
static int list_pages(struct ctl *ctl, struct page *page, size_t *count, struct error *err)
{
    struct list made;
    int rc = 0;
    if (count == NULL)
        list_begin(&made, ctl->options.json);
    while (rc == 0 && !page->done) {
        rc = read_page(ctl->table, page, err);
        if (rc == 0 && count != NULL)
            *count += page->count;
        else if (rc == 0)
            rc = print_page(&made, page, err);
    }
    if (rc == 0 && count == NULL)
        list_end(&made);
    return rc;
}

static int list(struct ctl *ctl, char **args, struct error *err)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    size_t count = 0;
    int rc;
    int64_t within = 0;
    if (ctl_parse_domain(ctl, domain, err) != 0)
        return -1;
    if (ctl->options.expiring != NULL &&
        ctl_parse_duration(&within, ctl->options.expiring, err) != 0)
        return error_at(err, "--expiring", 0);
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL)
        return error_no_memory(err);
    page->domain = domain;
    page->pattern = args[0];
    page->now = time(NULL);
    page->within = within;
    if (ctl->options.count && *domain == '\0' && args[0] == NULL && within == 0)
        rc = table_count(ctl->table, &count, err);
    else
        rc = list_pages(ctl, page, ctl->options.count ? &count : NULL, err);
    if (rc == 0 && ctl->options.count)
        printf("%zu\n", count);
    free(page);
    return rc;
}

const struct command command_list = {
    .name = "list",
    .also = "ls",
    .usage = "list [--json|--count] [--domain D] [--expiring D] [PATTERN]",
    .summary = "Print the entries, sorted by domain",
    .details = "PATTERN is a shell pattern for the old address.\n"
               "On a terminal the output is in columns. Otherwise the fields are separated by\n"
               "tabs: old, new, action, from, until, forward_until, disclose, note.\n"
               "\n"
               "  --domain D  print only the entries of this domain, without reading the others\n"
               "  --expiring D\n"
               "              print only those whose until or forward_until comes within D:\n"
               "              30d, with h, d or w\n"
               "  --json      print an array of objects\n"
               "  --count     print only how many there are\n",
    .example = "movedctl list --domain old.example\n"
               "movedctl list --count 'a*@old.example'",
    .operands = "OLD",
    .takes = "json domain expiring count",
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = list,
};
