/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/doctor.c: examine the running mail server */
#include "doctor/doctor.h"
#include "ctl/ctl.h"

#include <stdio.h>

static int doctor(struct ctl *ctl, char **args, struct error *err)
{
    const struct options *options = &ctl->options;
    const struct doctor_request request = {
        .settings = ctl->settings,
        .conf = ctl->settings->file == NULL ? MILTER_MOVED_CONF : ctl->settings->file,
        .table = ctl->path,
        .smtp = options->smtp,
        .as = options->as,
        .mta = options->mta,
        .config_dir = options->config_dir,
        .domain = options->domain,
        .recipients = args,
        .json = options->json,
        .nagios = options->nagios,
        .colour = print_has_colour(),
    };
    return doctor_run(&request, stdout, err);
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "doctor [--json | --nagios] [OPTION...] [RCPT...]",
    .summary = "Test the running mail server, and explain the results",
    .details = "Checks the table, the daemon, its sockets and the mail server's configuration.\n"
               "Then asks the mail server over SMTP (MAIL, RCPT, RSET, never DATA) about some\n"
               "entries of each domain and about a mailbox that does not exist, or about RCPT\n"
               "only. Explains each reply that is not as it should be, and how to correct it.\n"
               "The first line is a summary. The exit status is 0 if all is well, 1 if something\n"
               "is wrong, 69 if the daemon or the mail server does not answer, 77 if this user\n"
               "can see nothing.\n"
               "\n"
               "  --smtp HOST:PORT  the mail server (127.0.0.1:25)\n"
               "  --as IP           ask as a client at this address (XCLIENT)\n"
               "  --mta NAME        postfix or sendmail, if its greeting does not tell\n"
               "  --config-dir DIR  the mail server's configuration (the one postconf prints, or\n"
               "                    /etc/mail)\n"
               "  --domain D        only the entries of this domain\n"
               "  --json            print an object\n"
               "  --nagios          print one line, and exit with 0, 2 or 3, as a Nagios plugin\n",
    .example = "movedctl doctor alice@old.example",
    .operands = "OLD",
    .takes = "json nagios smtp as mta config-dir domain",
    .args = {0, -1},
    .run = doctor,
};
