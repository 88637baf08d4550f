/* doctor/exam.c: asks the running mail server about entries of the table, and explains what it sees */
#include "doctor/exam.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define SECONDS  120 /* for all that is asked over SMTP */
#define REFUSALS 3   /* in one session: few enough for servers that allow few errors */

/* ---- which mail server it is */

static const struct {
    const char *name;
    enum server server;
} servers[] = {{"postfix", SERVER_POSTFIX}, {"sendmail", SERVER_SENDMAIL}};

static int read_server(struct exam *exam, const char *name, struct error *err)
{
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (strcmp(servers[i].name, name) == 0) {
            exam->server = servers[i].server;
            return 0;
        }
    return error_set(err, EX_USAGE, "--mta: no such mail server '%s': write postfix or sendmail",
                     name);
}

static bool has_file(const char *dir, const char *name)
{
    char path[4096];
    return dir != NULL && snprintf(path, sizeof path, "%s/%s", dir, name) > 0 &&
           access(path, F_OK) == 0;
}

/* By what it calls itself, or by the files of its configuration. */
static enum server guess_server(const struct exam *exam)
{
    const char *dir = exam->ctl->options.config_dir;
    if (strcasestr(exam->greeting.first, "postfix") != NULL || has_file(dir, "main.cf"))
        return SERVER_POSTFIX;
    if (strcasestr(exam->greeting.first, "sendmail") != NULL || has_file(dir, "sendmail.cf"))
        return SERVER_SENDMAIL;
    if (!exam->is_here && exam->answers)
        return SERVER_UNKNOWN;
    return has_file("/etc/postfix", "main.cf")    ? SERVER_POSTFIX
           : has_file("/etc/mail", "sendmail.cf") ? SERVER_SENDMAIL
                                                  : SERVER_UNKNOWN;
}

/* Its configuration, where it is on this host or we are told which. */
static void look(struct exam *exam)
{
    struct error err;
    int rc = -1;
    if (exam->server == SERVER_UNKNOWN)
        exam->server = guess_server(exam);
    if (!exam->is_here && exam->answers && exam->ctl->options.config_dir == NULL)
        return;
    error_set(&err, EX_UNAVAILABLE,
              "neither Postfix nor Sendmail is known here (--mta, --config-dir)");
    if (exam->server == SERVER_POSTFIX)
        rc = postfix_look(exam, &err);
    else if (exam->server == SERVER_SENDMAIL)
        rc = sendmail_look(exam, &err);
    if (rc == 0 || (exam->server == SERVER_UNKNOWN && !exam->answers))
        return;
    exam_fact(exam, "error", "%s", err.text);
    exam_find(exam, "no-configuration", NOTE,
              "The mail server's configuration cannot be read, so what follows is told from its "
              "replies alone: "
              "${error}.",
              "run movedctl doctor as root on its host; --config-dir");
}

/* ---- the command */

/* Commands as they are to be typed, for this configuration. */
static void set_commands(struct exam *exam)
{
    const char *file = exam->settings->file == NULL ? MILTER_MOVED_CONF : exam->settings->file;
    const char *dir = exam->ctl->options.config_dir;
    bool usual = strcmp(file, MILTER_MOVED_CONF) == 0;
    const char *server = exam->server == SERVER_SENDMAIL ? "sendmail" : "postfix";
    char attach[4096];
    snprintf(attach, sizeof attach, "movedctl%s%s attach%s%s", usual ? "" : " -c ",
             usual ? "" : file, dir == NULL ? "" : " --config-dir ", dir == NULL ? "" : dir);
    exam_fact(exam, "conf", "%s", file);
    exam_fact(exam, "attach", "%s %s", attach, server);
    exam_fact(exam, "attach_unserved", "%s --unserved %s", attach, server);
    exam_fact(exam, "attach_limits", "%s --raise-limits %s", attach, server);
    exam_fact(exam, "postconf", "postconf%s%s -e", dir == NULL ? "" : " -c ",
              dir == NULL ? "" : dir);
    exam_fact(exam, "reload", "postfix%s%s reload", dir == NULL ? "" : " -c ",
              dir == NULL ? "" : dir);
    char where[ENDPOINT_TEXT_SIZE];
    exam_fact(exam, "where", "%s", endpoint_format_host(where, sizeof where, &exam->where));
}

static void check_configuration(struct exam *exam)
{
    const struct symptom *symptoms =
        exam->server == SERVER_POSTFIX ? postfix_symptoms : sendmail_symptoms;
    if (exam->postfix == NULL && exam->sendmail == NULL)
        return;
    exam_check(exam, symptoms, OF_SERVER);
    exam_check(exam, symptoms, OF_SERVICE);
    exam_check(exam, symptoms, OF_DOMAIN);
}

static int examine(struct exam *exam, char **args, struct error *err)
{
    exam_greet(exam);
    look(exam);
    set_commands(exam);
    exam_table(exam);
    exam_daemon(exam);
    if (exam->answers) {
        int rc = *args == NULL ? exam_choose(exam, err) : exam_choose_these(exam, args, err);
        if (rc != 0 || (exam->postfix != NULL && postfix_classify_domains(exam, err) != 0))
            return -1;
        if (exam->sendmail != NULL)
            sendmail_try_domains(exam);
        exam_ask(exam);
    }
    check_configuration(exam);
    exam_explain(exam);
    return 0;
}

static int exit_status(const struct exam *exam)
{
    enum weight worst = NOTE;
    for (size_t i = 0; i < exam->finding_count; i++)
        if (exam->findings[i].weight > worst)
            worst = exam->findings[i].weight;
    return worst == DOWN ? EX_UNAVAILABLE : worst == FAULT ? 1 : 0;
}

static void free_exam(struct exam *exam)
{
    for (size_t i = 0; i < exam->asked_count; i++)
        free(exam->asked[i]);
    for (size_t i = 0; i < exam->finding_count; i++) {
        free(exam->findings[i].why);
        free(exam->findings[i].mend);
    }
    for (size_t i = 0; i < FACTS_MAX; i++)
        free(exam->facts[i].value);
    free(exam->asked);
    free(exam->findings);
    free(exam->domains);
    postfix_view_free(exam->postfix);
    sendmail_view_free(exam->sendmail);
    table_free(exam->table);
}

static int doctor(struct ctl *ctl, char **args, struct error *err)
{
    struct exam exam = {.ctl = ctl, .settings = ctl->settings, .refusals = REFUSALS};
    const struct options *options = &ctl->options;
    int status = -1;

    clock_gettime(CLOCK_MONOTONIC, &exam.end);
    exam.end.tv_sec += SECONDS;
    if (endpoint_parse_host(&exam.where, options->smtp == NULL ? "127.0.0.1" : options->smtp, 25,
                            err) != 0)
        return error_at(err, "--smtp", 0);
    if (options->mta != NULL && read_server(&exam, options->mta, err) != 0)
        return -1;
    exam.domains = calloc(DOMAINS_MAX, sizeof *exam.domains);
    if (exam.domains == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    if (examine(&exam, args, err) == 0) {
        status = exit_status(&exam);
        if (exam_print(&exam, status, err) != 0)
            status = -1;
    }
    free_exam(&exam);
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "doctor [--json] [OPTION...] [RCPT...]",
    .summary = "Asks the running mail server, and explains what it sees",
    .details = "Looks at the table, the daemon, its sockets and the mail server's configuration; "
               "then asks the mail\n"
               "server over SMTP (MAIL, RCPT, RSET, never DATA) about some entries of each domain, "
               "and about a mailbox\n"
               "that does not exist; or about RCPT alone. What is not as it should be is "
               "explained, with what mends it.\n"
               "The exit status is 0 if all is well, 1 if something is wrong, 69 if the daemon or "
               "the mail server does\n"
               "not answer; the first line says all in short.\n"
               "\n"
               "  --smtp HOST:PORT  the mail server (127.0.0.1:25)\n"
               "  --mta NAME        postfix or sendmail, where it does not say so itself\n"
               "  --config-dir DIR  of the mail server (/etc/postfix as postconf says, /etc/mail)\n"
               "  --domain D        entries of this domain alone\n"
               "  --json            as one object\n",
    .takes = "json smtp mta config-dir domain",
    .most = -1,
    .opens = TABLE_NONE,
    .run = doctor,
};
