/* ctl/list.c: print the entries, all or some */
#include "ctl/ctl.h"

#include "ctl/spool.h"

#include <fnmatch.h>

struct wanted {
    const char *pattern; /* NULL: all */
    struct list *list;
};

static int list_one(const struct entry *entry, void *data, struct error *err)
{
    const struct wanted *wanted = data;
    char old[ADDRESS_TEXT_SIZE];
    entry_format_old(old, sizeof old, entry);
    if (wanted->pattern != NULL && fnmatch(wanted->pattern, old, FNM_CASEFOLD) != 0)
        return 0;
    return list_add(wanted->list, entry, err);
}

static int list(struct ctl *ctl, char **args, struct error *err)
{
    struct list made;
    const struct wanted wanted = {args[0], &made};
    char domain[ADDRESS_DOMAIN_MAX + 1];

    if (ctl_parse_domain(ctl, domain, err) != 0)
        return -1;
    struct table_view *view = table_view_open(ctl->table, err);
    if (view == NULL)
        return -1;
    spool_begin(spool_folder(ctl->path));
    list_begin(&made, ctl->options.json);
    int rc = table_each(view, *domain == '\0' ? NULL : domain, list_one, (void *)&wanted, err);
    table_view_close(view);
    if (rc == 0)
        list_end(&made);
    return spool_end(rc == 0 ? err : NULL) == 0 ? rc : -1;
}

const struct command command_list = {
    .name = "list",
    .also = "ls",
    .usage = "list [--json] [--domain D] [PATTERN]",
    .summary = "Prints the entries, sorted by domain",
    .details = "PATTERN is a shell pattern for the old address: movedctl list 'a*@old.example'.\n"
               "On a terminal in columns, elsewhere old, new, action, from, until, forward_until, "
               "disclose and\n"
               "note, parted by tabs; with --json an array of objects.\n"
               "\n"
               "  --domain D  entries of this domain alone, found without reading the others\n",
    .takes = "json domain",
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = list,
};
