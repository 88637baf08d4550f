/* mta/attach.c: attach and detach: which mail server, the question, and the change with what follows it */
#include "mta/attach.h"

#include "ctl/interrupt.h"
#include "mta/conf_edit.h"
#include "mta/process.h"
#include "net/probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct mta *const mtas[] = {&mta_postfix, &mta_sendmail};

static const struct mta *find_mta(const char *name, struct error *err)
{
    for (size_t i = 0; i < sizeof mtas / sizeof *mtas; i++)
        if (strcmp(mtas[i]->name, name) == 0)
            return mtas[i];
    error_set(err, EX_USAGE, "no such mail server '%s': write postfix or sendmail", name);
    return NULL;
}

/* ---- carrying it out */

static int ask(const struct ctl *ctl, struct error *err)
{
    char line[16];
    if (ctl->options.yes)
        return 0;
    if (!isatty(STDIN_FILENO))
        return error_set(err, EX_USAGE, "nobody to ask: say --yes to make these changes");
    fputs("\nMake these changes? [y/N] ", stdout);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) != NULL && (*line == 'y' || *line == 'Y'))
        return 0;
    return error_set(err, EX_TEMPFAIL, "nothing was changed");
}

static int run_all(const char *const *const *argvs, struct error *err)
{
    for (; argvs != NULL && *argvs != NULL; argvs++) {
        char *printed = process_read(*argvs, err);
        if (printed == NULL)
            return -1;
        free(printed);
    }
    return 0;
}

static int run_aftermath(struct changes *changes, const struct aftermath *aftermath,
                         struct error *err)
{
    struct error second;
    if ((aftermath->first == NULL || aftermath->first(aftermath->data, err) == 0) &&
        run_all(aftermath->checks, err) == 0 && run_all(aftermath->reloads, err) == 0)
        return 0;
    if (changes_take_back(changes, &second) != 0)
        ctl_warn("%s", second.text);
    else
        ctl_warn("the change was taken back");
    (void)run_all(aftermath->reloads, &second);
    return -1;
}

/* Before the mail server knows us: else the first answers would count. */
static void reload_daemon(const struct ctl *ctl)
{
    char path[32], name[32] = "";
    pid_t pid = probe_listener(ctl->settings->lookup_socket);
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = pid > 1 ? fopen(path, "re") : NULL;
    bool ours = file != NULL && fgets(name, sizeof name, file) != NULL &&
                strcmp(name, "milter-moved\n") == 0;
    if (file != NULL)
        fclose(file);
    if (!ours || kill(pid, SIGHUP) != 0)
        ctl_warn("milter-moved is to read its configuration again: systemctl reload milter-moved");
}

static void say_copies(const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        if (changes->files[i].copy != NULL)
            printf("kept: %s\n", changes->files[i].copy);
}

int attach_carry_out(const struct ctl *ctl, struct changes *changes,
                     const struct aftermath *aftermath, const char *nothing, const char *done,
                     struct error *err)
{
    if (changes->count == 0) {
        puts(nothing);
        return 0;
    }
    if (changes_show(changes, err) != 0)
        return -1;
    if (ctl->options.dry_run)
        return 0;
    if (ask(ctl, err) != 0)
        return -1;
    interrupt_ignore(); /* half of it would look like all of it to the next run, and be in force for none */
    if (changes_apply(changes, err) != 0)
        return -1;
    if (ctl->options.observe)
        reload_daemon(ctl);
    if (run_aftermath(changes, aftermath, err) != 0)
        return -1;
    say_copies(changes);
    puts(done);
    return 0;
}

/* ---- our own configuration */

int attach_set_key(const struct ctl *ctl, struct changes *changes, const char *key,
                   const char *value, struct error *err)
{
    const char *path = ctl->settings->file == NULL ? MILTER_MOVED_CONF : ctl->settings->file;
    char *old = ctl->settings->file == NULL ? strdup("") : file_read(path, err);
    if (old == NULL)
        return -1;
    char *text = conf_edit_set(old, key, value);
    free(old);
    if (text == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    return changes_add(changes, path, text, err);
}

int attach_mode(const struct ctl *ctl, struct changes *changes, struct error *err)
{
    if (!ctl->options.observe || ctl->settings->mode == MODE_OBSERVE)
        return 0;
    return attach_set_key(ctl, changes, "mode", "observe", err);
}

/* ---- blocks */

static bool is_marker(const char *line, const char *comment, const char *marker)
{
    size_t length = strlen(comment);
    line += strspn(line, " \t");
    return strncmp(line, comment, length) == 0 &&
           strncmp(line + length, marker, strlen(marker)) == 0;
}

char *attach_strip(const char *text, const char *comment)
{
    char *out = malloc(strlen(text) + 1), *end = out;
    bool ours = false;
    if (out == NULL)
        return NULL;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool ends = is_marker(text, comment, ATTACH_END);
        ours = ours || is_marker(text, comment, ATTACH_BEGIN);
        if (ours && end > out && is_marker(text, comment, ATTACH_BEGIN ATTACH_NEWLINE))
            end--;
        length += text[length] == '\n';
        if (!ours && !ends) {
            memcpy(end, text, length);
            end += length;
        }
        ours = ours && !ends;
        text += length;
    }
    *end = '\0';
    return out;
}

/* ---- the commands */

static int attach(struct ctl *ctl, char **args, struct error *err)
{
    const struct mta *mta = find_mta(args[0], err);
    return mta == NULL ? -1 : mta->attach(ctl, err);
}

static int detach(struct ctl *ctl, char **args, struct error *err)
{
    const struct mta *mta = find_mta(args[0], err);
    return mta == NULL ? -1 : mta->detach(ctl, err);
}

const struct command command_attach = {
    .name = "attach",
    .usage = "attach [OPTION...] postfix|sendmail",
    .summary = "Puts the milter into a mail server's configuration",
    .details =
        "Shows the change as a diff and asks; keeps a dated copy of each file; changes nothing "
        "the\n"
        "second time. movedctl detach takes all of it out again.\n"
        "\n"
        "  --config-dir DIR  of the mail server (/etc/postfix as postconf says, /etc/mail)\n"
        "  --dry-run         only shows the change\n"
        "  --yes             does not ask\n"
        "  --observe         starts with mode = \"observe\": all is logged, nothing refused\n"
        "  --unserved        answers too for domains that the server no longer takes mail for\n"
        "  --raise-limits    raises Postfix's error limits, for lists with many moved recipients\n",
    .takes = "config-dir dry-run yes observe unserved raise-limits",
    .least = 1,
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = attach,
};

const struct command command_detach = {
    .name = "detach",
    .usage = "detach [OPTION...] postfix|sendmail",
    .summary = "Takes the milter out of a mail server's configuration",
    .details =
        "Shows the change as a diff and asks; what attach had added is gone, all else stays.\n"
        "\n"
        "  --config-dir DIR  of the mail server (/etc/postfix as postconf says, /etc/mail)\n"
        "  --dry-run         only shows the change\n"
        "  --yes             does not ask\n",
    .takes = "config-dir dry-run yes",
    .least = 1,
    .most = 1,
    .opens = TABLE_NONE,
    .run = detach,
};
