/* ctl/add.c: put one entry */
#include "ctl/ctl.h"

#include <time.h>

/* What the operands and the flags say together; contradictions are entry_parse's affair, save
 * those of the command line alone. */
static int read_words(struct entry_text *out, const struct options *options, char **args,
                      struct error *err)
{
    if (options->gone + options->stay + options->forward > 1)
        return error_set(err, EX_USAGE,
                         "--gone, --stay and --forward exclude each other: write one");
    if (args[1] == NULL && !options->gone && !options->stay)
        return error_set(err, EX_USAGE, "no new address: write it after '%s', or --gone, or --stay",
                         args[0]);
    *out = (struct entry_text){.old = args[0],
                               .new = args[1],
                               .action = options->gone      ? "gone"
                                         : options->stay    ? "stay"
                                         : options->forward ? "forward"
                                                            : "",
                               .from = options->from,
                               .until = options->until,
                               .forward_until = options->forward_until,
                               .disclose = options->disclose,
                               .note = options->note,
                               .now = time(NULL)};
    return 0;
}

static int put(const struct ctl *ctl, const struct entry *entry, const char *old, struct error *err)
{
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    enum table_result result = table_edit_put(edit, entry, ctl->options.replace, err);
    if (result == TABLE_ABSENT || (result == TABLE_FOUND && ctl->options.replace))
        return table_edit_commit(edit, err);
    table_edit_abort(edit);
    if (result == TABLE_FOUND)
        error_set(err, EX_DATAERR, "'%s' is there already: see movedctl get, or write --replace",
                  old);
    return -1;
}

/* Such an entry may be meant, but a wrong year is more likely. */
static void warn_of_past(const struct entry *entry, const struct entry_text *text)
{
    if (entry->until != TIMESTAMP_NONE && entry->until <= text->now)
        ctl_warn("--until: %s has passed: the entry is never in force", text->until);
    else if (entry->forward_until != TIMESTAMP_NONE && entry->forward_until <= text->now)
        ctl_warn("--forward-until: %s has passed: the entry refuses already", text->forward_until);
}

static int add(struct ctl *ctl, char **args, struct error *err)
{
    struct entry_text text;
    struct entry entry;
    if (read_words(&text, &ctl->options, args, err) != 0 ||
        entry_parse(&entry, &text, &ctl->settings->addresses, err) != 0)
        return -1;
    if (put(ctl, &entry, args[0], err) != 0)
        return -1;
    warn_of_past(&entry, &text);
    return 0;
}

const struct command command_add = {
    .name = "add",
    .usage = "add [OPTION...] OLD [NEW]",
    .summary = "Puts one entry, in force for the very next recipient",
    .details = "OLD  user@domain; @domain, every mailbox of it; @.domain, every mailbox of its "
               "subdomains\n"
               "NEW  user@domain; @domain, the same mailbox name there\n"
               "\n"
               "  --gone              moved, and there is no new address\n"
               "  --stay              has not moved, whatever the entry of its domain says\n"
               "  --forward           deliver to NEW meanwhile\n"
               "  --forward-until T   deliver to NEW up to T, then refuse\n"
               "  --from T, --until T in force from T on, up to T: 2026-09-01, or with "
               "T06:00:00+02:00, or\n"
               "                      +180d from now (h hours, d days, w weeks)\n"
               "  --disclose W        who is told NEW: anyone, trusted, nobody\n"
               "  --note S            your own words; never sent\n"
               "  --replace           even if OLD is there already\n"
               "\n"
               "Exit status 65, and nothing changed, where OLD is there already.\n",
    .takes = "gone stay forward forward-until from until disclose note replace",
    .least = 1,
    .most = 2,
    .opens = TABLE_TO_WRITE,
    .run = add,
};
