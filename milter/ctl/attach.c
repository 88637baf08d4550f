/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/attach.c: attach and detach: put the milter into a mail server's configuration, and take it out */
#include "base/conf_list.h"
#include "ctl/ctl.h"
#include "ctl/interrupt.h"
#include "mta/mta.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int confirm(const char *diff, void *data, struct error *err)
{
    const struct ctl *ctl = data;
    char line[16] = "";

    print_say("%s", diff);
    if (ctl->options.dry_run)
        return 1;
    if (!ctl->options.yes) {
        if (!isatty(STDIN_FILENO))
            return error_set(err, EX_USAGE,
                             "standard input is not a terminal: use --yes to make these changes");
        print_say("\nMake these changes? [y/N] ");
        if (fgets(line, sizeof line, stdin) == NULL || (*line != 'y' && *line != 'Y'))
            return error_set(err, EX_TEMPFAIL, "these changes were not made");
    }
    interrupt_ignore();       /* a change that is half made would look complete to the next run */
    signal(SIGPIPE, SIG_IGN); /* the reader of the output may end first */
    return 0;
}

static int add_domain(const struct entry *first, void *data, struct error *err)
{
    /* Nobody can say what the subdomains are called. */
    return first->scope == ENTRY_SUBDOMAINS ||
                   conf_list_add(data, first->domain, strlen(first->domain)) == 0
               ? 0
               : error_no_memory(err);
}

static struct mta_request request_of(struct ctl *ctl)
{
    const struct options *options = &ctl->options;
    return (struct mta_request){
        .settings = ctl->settings,
        .config_dir = options->config_dir,
        .mc = options->mc,
        .dry_run = options->dry_run,
        .observe = options->observe,
        .unserved = options->unserved,
        .raise_limits = options->raise_limits,
        .say = print_say,
        .warn = ctl_warn,
        .confirm = confirm,
        .data = ctl,
    };
}

static const struct mta *find_mta(const struct ctl *ctl, const char *name, struct error *err)
{
    const struct mta *mta = mta_find(name, err);
    if (mta == NULL || ctl->options.mc == NULL || strcmp(mta->name, "sendmail") == 0)
        return mta;
    error_set(err, EX_USAGE, "--mc: is an option for sendmail");
    return NULL;
}

static int attach(struct ctl *ctl, char **args, struct error *err)
{
    struct conf_list domains = {.count = 0};
    struct mta_request request = request_of(ctl);
    const struct mta *mta = find_mta(ctl, args[0], err);
    if (mta == NULL || table_count(ctl->table, &request.entries, err) != 0)
        return -1;
    struct table_view *view = table_view_open(ctl->table, err);
    int rc = view == NULL ? -1 : table_each_domain(view, add_domain, &domains, err);
    table_view_close(view);
    request.domains = (const char *const *)domains.items;
    request.domain_count = domains.count;
    if (rc == 0)
        rc = mta->run(&request, err);
    conf_list_clear(&domains);
    return rc;
}

static int detach(struct ctl *ctl, char **args, struct error *err)
{
    struct mta_request request = request_of(ctl);
    request.detaches = true;
    if (ctl->options.all == (args[0] != NULL))
        return error_set(err, EX_USAGE, "name one mail server, or use --all");
    if (!ctl->options.all) {
        const struct mta *mta = find_mta(ctl, args[0], err);
        return mta == NULL ? -1 : mta->run(&request, err);
    }
    int rc = 0;
    for (const struct mta *mta = mtas; mta->name != NULL && rc == 0; mta++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s",
                 request.config_dir == NULL ? mta->dir : request.config_dir, mta->file);
        if (access(path, F_OK) != 0)
            continue; /* it is not installed here */
        print_say("%s:\n", mta->title);
        rc = mta->run(&request, err);
    }
    return rc;
}

const struct command command_attach = {
    .name = "attach",
    .usage = "attach [OPTION...] postfix|sendmail",
    .summary = "Add the milter to a mail server's configuration",
    .details = "Shows the change as a diff and asks before making it. Keeps a dated copy of each\n"
               "file. Run again, it changes nothing. movedctl detach reverts it.\n"
               "\n"
               "  --config-dir DIR  the mail server's configuration (the one postconf prints, or\n"
               "                    /etc/mail)\n"
               "  --mc FILE         Sendmail's sendmail.mc (the one in that folder, or HOST.mc)\n"
               "  --dry-run         only show the change\n"
               "  --yes             do not ask\n"
               "  --observe         start with mode = \"observe\": log everything, reject nothing\n"
               "  --unserved        also answer for domains that the server no longer accepts\n"
               "                    mail for\n"
               "  --raise-limits    raise Postfix's error limits, for mailing lists with many\n"
               "                    moved recipients\n",
    .example = "movedctl attach --observe postfix",
    .operands = "postfix sendmail",
    .takes = "config-dir mc dry-run yes observe unserved raise-limits",
    .args = {1, 1},
    .opens = TABLE_TO_READ,
    .run = attach,
};

const struct command command_detach = {
    .name = "detach",
    .usage = "detach [OPTION...] postfix|sendmail|--all",
    .summary = "Remove the milter from a mail server's configuration",
    .details = "Shows the change as a diff and asks before making it. Removes what attach added,\n"
               "and nothing else.\n"
               "\n"
               "  --config-dir DIR  the mail server's configuration (the one postconf prints, or\n"
               "                    /etc/mail)\n"
               "  --mc FILE         Sendmail's sendmail.mc (the one in that folder, or HOST.mc)\n"
               "  --dry-run         only show the change\n"
               "  --yes             do not ask\n"
               "  --all             from whatever mail server is here\n",
    .example = "movedctl detach postfix",
    .operands = "postfix sendmail",
    .takes = "config-dir mc dry-run yes all",
    .args = {0, 1},
    .needs_no_conf = true,
    .run = detach,
};
