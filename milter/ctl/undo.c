/* ctl/undo.c: take the last change of the table back */
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
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    (void)args;
    if (edit == NULL)
        return -1;
    if (table_edit_undo(edit, &undone, err) == 0)
        return finish(ctl, edit, &undone, err);
    table_edit_abort(edit);
    return -1;
}

const struct command command_undo = {
    .name = "undo",
    .usage = "undo [--dry-run]",
    .summary = "Takes the last change of the table back",
    .details =
        "Whatever it was: an add, a del, an import. The undo is a change too: undo again, and "
        "what was\n"
        "undone is done again. Exit status 65, and nothing changed, where the change log "
        "does not hold all\n"
        "that the last change did, or something else has changed the table since.\n"
        "\n"
        "  --dry-run  says what it would do\n",
    .takes = "dry-run",
    .opens = TABLE_TO_WRITE,
    .run = undo,
};
