/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/add.c: put one entry */
#include "ctl/through.h"

#include <time.h>

/* Collects the operands and options. entry_parse finds contradictions between fields. */
static int read_words(struct entry_text *out, const struct options *options, char **args,
                      struct error *err)
{
    if (options->gone + options->stay + options->forward > 1)
        return error_set(err, EX_USAGE, "--gone, --stay and --forward exclude each other: use one");
    if (args[1] == NULL && !options->gone && !options->stay)
        return error_set(err, EX_USAGE,
                         "no new address: write it after '%s', or use --gone or --stay", args[0]);
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
    bool replace = ctl->options.replace;
    int follows = through_asked(ctl, err);
    if (follows < 0)
        return -1;
    if (follows > 0) {
        struct through through;
        int rc = through_begin(&through, ctl, replace, err);
        if (rc == 0)
            rc = through_put(&through, entry, err);
        return through_finish(&through, rc, err);
    }
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    enum table_result result = table_edit_put(edit, entry, replace, err);
    if (result == TABLE_ABSENT || (result == TABLE_FOUND && replace))
        return table_edit_commit(edit, err);
    table_edit_abort(edit);
    if (result == TABLE_FOUND)
        error_set(err, EX_DATAERR, "'%s' already has an entry: see movedctl get, or use --replace",
                  old);
    return -1;
}

/* Such an entry may be meant, but a wrong year is more likely. */
static void warn_of_past(const struct entry *entry, const struct entry_text *text)
{
    if (entry->until != TIMESTAMP_NONE && entry->until <= text->now)
        ctl_warn("--until: %s has passed: the entry is never in force", text->until);
    else if (entry->forward_until != TIMESTAMP_NONE && entry->forward_until <= text->now)
        ctl_warn("--forward-until: %s has passed: the entry already rejects", text->forward_until);
}

static int add(struct ctl *ctl, char **args, struct error *err)
{
    struct entry_text text;
    struct entry entry;
    int64_t seconds;
    if (ctl->options.lasts != NULL && ctl->options.until != NULL)
        return error_set(err, EX_USAGE, "--for and --until exclude each other: use one");
    if (ctl_parse_for(ctl, &seconds, err) != 0 ||
        read_words(&text, &ctl->options, args, err) != 0 ||
        entry_parse(&entry, &text, &ctl->settings->addresses, err) != 0)
        return -1;
    ctl_end_after(&entry, seconds, text.now);
    if (put(ctl, &entry, args[0], err) != 0)
        return -1;
    warn_of_past(&entry, &text);
    return 0;
}

const struct command command_add = {
    .name = "add",
    .usage = "add [OPTION...] OLD [NEW]",
    .summary = "Add one entry, which takes effect for the next recipient",
    .details = "OLD  user@domain; @domain, all of its mailboxes; @.domain, all of its subdomains\n"
               "NEW  user@domain; @domain, the same mailbox name there\n"
               "\n"
               "  --gone             the mailbox has moved and has no new address\n"
               "  --stay             the mailbox has not moved, even if its domain has\n"
               "  --forward          accept mail and deliver it to NEW\n"
               "  --forward-until T  forward until T, then reject\n"
               "  --from T           the entry is in force from T on\n"
               "  --until T          the entry is in force until T\n"
               "  --for D            the entry ends D after now, or after --from: 180d, 26w, 12h\n"
               "  --disclose W       who is told NEW: anyone, trusted or nobody\n"
               "  --note S           your own comment, which is never sent\n"
               "  --replace          replace an existing entry\n"
               "\n"
               "T is 2026-09-01, 2026-09-01T06:00:00+02:00, or relative to now: +180d, with h\n"
               "for hours, d for days, w for weeks.\n"
               "If OLD already has an entry, nothing is changed and the exit status is 65.\n",
    .example = "movedctl add alice@old.example alice@new.example\n"
               "movedctl add @old.example @new.example --from 2099-09-01",
    .operands = "OLD",
    .takes = "gone stay forward forward-until from until for disclose note replace",
    .args = {1, 2},
    .opens = TABLE_TO_WRITE,
    .run = add,
};
