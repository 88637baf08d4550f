/* ctl/undo.c: take a change of the table back */
#include "ctl/ctl.h"
#include "ctl/log.h"

#include <stdio.h>

static int finish(const struct ctl *ctl, struct table_edit *edit, const struct change *undone,
                  struct error *err)
{
    char text[CHANGE_TEXT_SIZE], counts[CHANGE_COUNTS_SIZE];
    bool dry = ctl->options.dry_run;
    if (dry)
        table_edit_abort(edit);
    else if (table_edit_commit(edit, err) != 0)
        return -1;
    change_format(text, sizeof text, undone);
    change_format_counts(counts, sizeof counts, undone->removed, undone->changed, undone->added);
    printf("%s %s\n%s\n", dry ? "dry run: would undo" : "undone:", text, counts);
    return 0;
}

static int undo(struct ctl *ctl, char **args, struct error *err)
{
    struct change undone;
    uint64_t number = 0;
    if (args[0] != NULL && (number = change_read_number(args[0])) == 0)
        return error_set(err, EX_USAGE, "'%s' is no number of a change: see movedctl log", args[0]);
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    if (table_edit_undo(edit, number, &undone, err) == 0)
        return finish(ctl, edit, &undone, err);
    table_edit_abort(edit);
    return -1;
}

const struct command command_undo = {
    .name = "undo",
    .usage = "undo [--dry-run] [NUMBER]",
    .summary = "Takes the last change of the table back, or an earlier one",
    .details =
        "Whatever it was: an add, a del, an import. The undo is a change too: undo again, and what "
        "was undone\n"
        "is done again. Exit status 65, and nothing changed, where the change log does not hold "
        "all "
        "that the\n"
        "change did, or one of its entries is no longer what it made of it.\n"
        "\n"
        "NUMBER  the change that movedctl log shows under this number\n"
        "\n"
        "  --dry-run  says what it would do\n",
    .takes = "dry-run",
    .most = 1,
    .opens = TABLE_TO_WRITE,
    .run = undo,
};
