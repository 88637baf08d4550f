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
    print_say("%s %s\n%s\n", dry ? "dry run: would undo" : "undone:", text, counts);
    return 0;
}

static int undo(struct ctl *ctl, char **args, struct error *err)
{
    struct change undone;
    uint64_t number = 0;
    if (args[0] != NULL && (number = change_read_number(args[0])) == 0)
        return error_set(err, EX_USAGE, "'%s' is not the number of a change: see movedctl log",
                         args[0]);
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
    .summary = "Revert the last change of the table, or an earlier one",
    .details = "Reverts any change: an add, a del, an import. The undo is a change too, so a\n"
               "second undo reverts the first. If the change log does not hold all entries of\n"
               "the change, or one of them has been changed since, nothing is changed and the\n"
               "exit status is 65.\n"
               "\n"
               "NUMBER  the number of the change, as printed by movedctl log\n"
               "\n"
               "  --dry-run  print what would be reverted\n",
    .takes = "dry-run",
    .most = 1,
    .opens = TABLE_TO_WRITE,
    .run = undo,
};
