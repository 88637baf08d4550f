/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/exam.c: the steps of an examination, and which mail server it is */
#include "doctor/exam.h"

#include "mta/unit.h"

#include "net/io.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS 120 /* for all that is asked over SMTP */

/* ---- which mail server it is */

static bool has_file(const char *dir, const char *name)
{
    char path[4096];
    return dir != NULL && snprintf(path, sizeof path, "%s/%s", dir, name) > 0 &&
           access(path, F_OK) == 0;
}

/* Guesses by the greeting, or by the files of a configuration. Returns NULL if neither is known. */
static const struct mta *guess(const struct exam *exam)
{
    const struct mta *mta;
    for (mta = mtas; mta->name != NULL; mta++)
        if (strcasestr(exam->server.greeting.text, mta->name) != NULL ||
            has_file(exam->request->config_dir, mta->file))
            return mta;
    if (exam->answers && !exam->server.is_here)
        return NULL;
    for (mta = mtas; mta->name != NULL; mta++)
        if (has_file(mta->dir, mta->file))
            return mta;
    return NULL;
}

/* The configuration that can be read is not that of the server that is asked. */
static void note_elsewhere(struct exam *exam, const char *which)
{
    fact_set(&exam->facts, "which", "%s", which);
    exam_note(exam, "other-configuration", NOTE,
              "The mail server is examined by its replies alone: the configuration that can be "
              "read here is the one ${which}.",
              "Run movedctl doctor on its host, with --config-dir if it is not in the usual "
              "folder (postmulti -l lists those of Postfix).");
}

/* Reads the configuration of the mail server, if that is on this host or --config-dir names its folder. */
static void look(struct exam *exam)
{
    struct error err;
    if (exam->mta == NULL)
        exam->mta = guess(exam);
    if (exam->mta == NULL)
        error_set(&err, EX_UNAVAILABLE,
                  "neither Postfix nor Sendmail is known here (--mta, --config-dir)");
    else
        exam->specialist =
            strcmp(exam->mta->name, "postfix") == 0 ? &postfix_specialist : &sendmail_specialist;
    if (exam->answers && !exam->server.is_here && exam->request->config_dir == NULL) {
        note_elsewhere(exam, "on this host, which the mail server is not");
    } else if (exam->mta != NULL && exam->specialist->look(exam, &err) == 0) {
        if (exam->door >= 0 || !exam->answers)
            return;
        exam->specialist->look_free(exam->view);
        exam->view = NULL;
        note_elsewhere(exam,
                       "of another mail server, which does not listen there or greets otherwise");
    } else if (exam->mta != NULL || exam->answers) { /* otherwise server-down is enough */
        fact_set(&exam->facts, "error", "%s", err.text);
        exam_note(exam, "no-configuration", NOTE,
                  "The configuration of the mail server cannot be read, so the following is "
                  "concluded from its replies alone: ${error}.",
                  "Run movedctl doctor as root on its host, with --config-dir if it is not in "
                  "the usual folder.");
    }
}

/* ---- the steps */

/* Sets the facts that are commands, with the options for this configuration. */
static void tell_commands(struct exam *exam)
{
    const char *conf = exam->request->conf, *dir = exam->request->config_dir;
    bool usual = strcmp(conf, MILTER_MOVED_CONF) == 0;
    const char *mta = exam->mta == NULL ? mtas[0].name : exam->mta->name;
    char ctl[4096], of_dir[4096];
    static const char *const names[] = {[UNIT_START] = "start_daemon",
                                        [UNIT_RESTART] = "restart_daemon",
                                        [UNIT_RELOAD] = "reload_daemon"};
    char command[UNIT_COMMAND_SIZE];
    for (int action = UNIT_START; action <= UNIT_RELOAD; action++) {
        unit_command(command, (enum unit_action)action, exam->settings);
        fact_set(&exam->facts, names[action], "%s%s", isupper((unsigned char)*command) ? "" : "$ ",
                 command);
    }
    fact_set(&exam->facts, "conf", "%s", conf);
    fact_set(&exam->facts, "stranger", "%s", DOCTOR_STRANGER);
    snprintf(of_dir, sizeof of_dir, "%s%s", dir == NULL ? "" : " --config-dir ",
             dir == NULL ? "" : dir);
    snprintf(ctl, sizeof ctl, "movedctl%s%s", usual ? "" : " -c ", usual ? "" : conf);
    fact_set(&exam->facts, "ctl", "%s", ctl);
    fact_set(&exam->facts, "detach", "%s detach%s %s", ctl, of_dir, mta);
    if (unit_can_follow(exam->settings))
        fact_set(&exam->facts, "run_follow", "$ systemctl enable --now " UNIT_FOLLOW);
    else
        fact_set(&exam->facts, "run_follow",
                 "Run it as a service, movedctl-follow(8):\n$ %s follow", ctl);
    fact_set(&exam->facts, "attach", "%s attach%s %s", ctl, of_dir, mta);
    fact_set(&exam->facts, "attach_unserved", "%s attach%s --unserved %s", ctl, of_dir, mta);
    fact_set(&exam->facts, "attach_limits", "%s attach%s --raise-limits %s", ctl, of_dir, mta);
    fact_set(&exam->facts, "on_host", "%s",
             exam->view != NULL ? "" : "On the host of the mail server, with its --config-dir:\n");
}

static int examine(struct exam *exam, struct error *err)
{
    exam_greet(exam);
    look(exam);
    tell_commands(exam);
    exam_table(exam);
    exam_following(exam);
    exam_daemon(exam);
    if (exam->answers && exam->table_error.status != EX_NOPERM) {
        if (exam_choose(exam, err) != 0 ||
            (exam->view != NULL && exam->specialist->classify(exam, err) != 0))
            return -1;
        exam_ask(exam);
    }
    if (exam->view != NULL)
        exam_configuration(exam);
    exam_explain(exam);
    return 0;
}

/* A fault that no reply shows is a risk, and so is a daemon that is down where the mail server's replies are ours. */
static void settle(struct exam *exam)
{
    bool all = exam->recipient_count > 0, ours = false;
    for (size_t i = 0; i < exam->recipient_count; i++) {
        const struct asked *asked = &exam->recipients[i];
        all = all && asked->well;
        ours = ours ||
               (asked->well && asked->expected.verdict == VERDICT_REPLY && asked_has_wanted(asked));
    }
    for (size_t i = 0; i < exam->finding_count; i++) {
        enum weight *weight = &exam->findings[i].weight;
        if (all && (*weight == FAULT || (*weight == DOWN && ours)))
            *weight = RISK;
    }
}

static int exit_status(const struct exam *exam)
{
    enum weight worst = exam_worst(exam);
    int status = worst == DOWN                                   ? EX_UNAVAILABLE
                 : worst > UNSEEN                                ? 1
                 : worst == UNSEEN && exam->recipient_count == 0 ? EX_NOPERM
                                                                 : 0;
    if (!exam->request->nagios)
        return status;
    return status == 0 ? 0 : status == EX_NOPERM ? 3 : 2;
}

static int set_up(struct exam *exam, struct error *err)
{
    const struct doctor_request *request = exam->request;
    if (endpoint_parse_host(&exam->where, request->smtp == NULL ? "127.0.0.1" : request->smtp, 25,
                            err) != 0)
        return error_at(err, "--smtp", 0);
    if (request->as != NULL && ip_parse(&exam->client, request->as, err) != 0)
        return error_at(err, "--as", 0);
    exam->as = request->as == NULL ? NULL : &exam->client;
    if (request->mta != NULL && (exam->mta = mta_find(request->mta, err)) == NULL)
        return error_at(err, "--mta", 0);
    return 0;
}

int doctor_run(const struct doctor_request *request, FILE *out, struct error *err)
{
    struct exam exam = {
        .request = request, .settings = request->settings, .end = io_deadline(SECONDS), .door = -1};
    int status = -1;
    if (set_up(&exam, err) == 0 && examine(&exam, err) == 0) {
        settle(&exam);
        status = exit_status(&exam);
        if (exam_print(&exam, status, out, err) != 0)
            status = -1;
    }
    if (exam.view != NULL)
        exam.specialist->look_free(exam.view);
    for (size_t i = 0; i < exam.finding_count; i++) {
        free(exam.findings[i].why);
        free(exam.findings[i].mend);
    }
    free(exam.findings);
    facts_clear(&exam.facts);
    free(exam.recipients);
    table_free(exam.table);
    return status;
}
