/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/list.c: print the entries, all or some */
#include "ctl/ctl.h"

#include <fnmatch.h>
#include <stdio.h>
#include <time.h>

struct listing {
    const char *pattern; /* NULL: all */
    int64_t now, within; /* only entries that end in so many seconds; -1: all */
    bool only_count;
    size_t count;
    struct list list;
};

static int take(const struct entry *entry, void *data, struct error *err)
{
    struct listing *listing = data;
    char old[ADDRESS_TEXT_SIZE];
    entry_format_old(old, sizeof old, entry);
    if ((listing->pattern != NULL && fnmatch(listing->pattern, old, FNM_CASEFOLD) != 0) ||
        (listing->within >= 0 && !entry_ends_within(entry, listing->now, listing->within)))
        return 0;
    listing->count++;
    if (listing->only_count)
        return 0;
    list_next(&listing->list);
    return print_entry(entry, listing->list.json, err);
}

static int list(struct ctl *ctl, char **args, struct error *err)
{
    const struct options *options = &ctl->options;
    struct listing listing = {
        .pattern = args[0], .now = time(NULL), .within = -1, .only_count = options->count};
    char domain[ADDRESS_DOMAIN_MAX + 1];
    if (ctl_parse_domain(ctl, domain, err) != 0)
        return -1;
    if (options->expiring != NULL &&
        ctl_parse_duration(&listing.within, "--expiring", options->expiring, err) != 0)
        return -1;
    bool all = *domain == '\0' && args[0] == NULL && options->expiring == NULL;
    listing.list.json = options->json && !options->count;
    int rc = options->count && all
                 ? table_count(ctl->table, &listing.count, err)
                 : ctl_each(ctl->table, *domain == '\0' ? NULL : domain, take, &listing, err);
    if (rc != 0)
        return -1;
    list_end(&listing.list);
    if (options->count)
        printf("%zu\n", listing.count);
    return 0;
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
               "              print only those whose until or forward_until comes within D,\n"
               "              such as 30d, 26w or 12h\n"
               "  --json      print an array of objects\n"
               "  --count     print only how many there are\n",
    .example = "movedctl list --domain old.example\n"
               "movedctl list --count 'a*@old.example'",
    .operands = "OLD",
    .takes = "json domain expiring count",
    .args = {0, 1},
    .opens = TABLE_TO_READ,
    .run = list,
};
