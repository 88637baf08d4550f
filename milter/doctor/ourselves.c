/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/ourselves.c: the table, the store that it follows, the daemon and its sockets */
#include "config.h"

#include "doctor/exam.h"

#include "follow/state.h"
#include "mta/files.h"
#include "net/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the table */

/* Nobody can tell the names of subdomains. */
static int count_domain(const struct entry *first, void *data, struct error *err)
{
    size_t *count = data;
    (void)err;
    *count += first->scope != ENTRY_SUBDOMAINS;
    return 0;
}

static int count(struct exam *exam, struct error *err)
{
    struct table_view *view = table_count(exam->table, &exam->entries, err) == 0
                                  ? table_view_open(exam->table, err)
                                  : NULL;
    if (view == NULL)
        return -1;
    int rc = table_each_domain(view, count_domain, &exam->all_domains, err);
    table_view_close(view);
    return rc;
}

#define CHOWN "The user of milter-moved has to be its owner:\n$ chown -R ${user}: ${table}"

static const char *mend_table(int status)
{
    switch (status) {
    case EX_NOINPUT: return "Make it; then add entries.\n$ ${ctl} init";
    case EX_NOPERM:
        return geteuid() == 0 ? CHOWN
                              : "Run movedctl doctor as root, or as a member of the table's group.";
    case EX_CONFIG:
        return "In ${conf} set the other fold_case of addresses; or export, init and import again.";
    default:
        return "Put it aside, and restore a copy that movedctl backup made:\n"
               "$ mkdir ${table}.damaged; mv ${table}/data.mdb ${table}/lock.mdb ${table}.damaged\n"
               "$ ${ctl} restore DIR";
    }
}

void exam_table(struct exam *exam)
{
    struct error *err = &exam->table_error;
    const char *path = exam->request->table;
    fact_set(&exam->facts, "table", "%s", path);
    fact_set(&exam->facts, "user", "%s", exam->settings->user);
    if (table_open(&exam->table, path, TABLE_READ, exam->settings->fold_case, err) != 0) {
        exam->table = NULL;
    } else if (count(exam, err) == 0) {
        if (exam->entries == 0)
            exam_note(exam, "table-empty", NOTE, "The table is empty: nothing has moved.",
                      "Add entries, or import a file of them (movedctl help import):\n"
                      "$ ${ctl} add OLD NEW");
        return;
    }
    fact_set(&exam->facts, "error", "%s", err->text);
    exam_note(exam, "table", err->status == EX_NOPERM && geteuid() != 0 ? UNSEEN : FAULT,
              "The table cannot be read: ${error}.",
              err->status == EX_NOINPUT && *exam->settings->source.connect != '\0'
                  ? "movedctl follow makes it.\n${run_follow}"
                  : mend_table(err->status));
}

/* ---- the store that the table follows */

#define STATUS "$ ${ctl} follow --status"

static const char *mend_following(enum follow_status status)
{
    return status == FOLLOW_HELD
               ? "Put the rows back in the store; or, if they are meant to be gone:\n"
                 "$ ${ctl} follow --accept"
           : status == FOLLOW_REFUSED
               ? "Correct what it says; movedctl follow tries again by itself."
               : "Check that movedctl follow and the store are running.\n" STATUS "\n${run_follow}";
}

static void note_state(struct exam *exam, const struct follow_state *state)
{
    int status = state_exit_status(state, time(NULL), exam->settings->source.max_lag);
    fact_set(&exam->facts, "follow_state", "%s", state_name(state->status));
    fact_set(&exam->facts, "follow_reason", "%s",
             state->reason[0] != '\0' ? state->reason : "its last word is old");
    fact_set(&exam->facts, "skipped", "%zu", state->skipped.count);
    if (status == 1)
        exam_note(
            exam, "follow-skipped", NOTE,
            "${skipped} rows of the store are not taken, since they are not as they should be.",
            "Correct them in the store; this prints what is wrong with each:\n" STATUS);
    else if (status == EX_TEMPFAIL)
        exam_note(exam, "follow-late", NOTE,
                  "The table is not in step with its store: ${follow_state}.",
                  "It goes on by itself.\n" STATUS);
    else if (status != 0)
        exam_note(exam, "follow", FAULT,
                  "The table is not in step with its store: ${follow_state}: ${follow_reason}.",
                  mend_following(state->status));
}

void exam_following(struct exam *exam)
{
    struct follow_state state;
    struct error err;
    if (*exam->settings->source.connect == '\0')
        return;
    int rc = state_read(&state, exam->request->table, &err);
    if (rc == 0)
        note_state(exam, &state);
    fact_set(&exam->facts, "error", "%s", rc < 0 ? err.text : "it has not run yet");
    if (rc != 0)
        exam_note(exam, "follow", FAULT, "Nobody keeps the table in step with its store: ${error}.",
                  "${run_follow}");
    state_clear(&state);
}

/* ---- the daemon */

/* The file in which a key is set, or else the one where it can be. */
static const char *file_with(const struct exam *exam, const char *key)
{
    const struct settings *settings = exam->settings;
    size_t count;
    const struct conf_key *keys = settings_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].path, key) == 0 && settings->spots[i].file != NULL)
            return settings->spots[i].file;
    return exam->request->conf;
}

static int take_stat(const char *name, const char *value, void *data, struct error *err)
{
    struct daemon_state *daemon = data;
    (void)err;
    if (strcmp(name, "version") == 0)
        snprintf(daemon->version, sizeof daemon->version, "%s", value);
    else if (strcmp(name, "mode") == 0)
        daemon->observes = strcmp(value, "observe") == 0;
    else if (strcmp(name, "table") == 0)
        snprintf(daemon->table, sizeof daemon->table, "%s", value);
    return 0;
}

/* What lets the daemon read its table, judged by the error that it reports. */
static void tell_mend(struct exam *exam)
{
    const char *wrong = exam->daemon.table;
    char *mend = facts_fill(
        &exam->facts,
        strstr(wrong, strerror(EACCES)) != NULL
            ? CHOWN
            : mend_table(strstr(wrong, "no table there") != NULL ? EX_NOINPUT : EX_DATAERR));
    fact_set(&exam->facts, "mend_table", "%s", mend == NULL ? "" : mend);
    free(mend);
}

/* Whether it runs with what the files have. */
static void compare(struct exam *exam)
{
    const struct daemon_state *daemon = &exam->daemon;
    bool observes = exam->settings->mode == MODE_OBSERVE;
    struct facts *facts = &exam->facts;
    fact_set(facts, "mode", "%s", daemon->observes ? "observe" : "enforce");
    fact_set(facts, "other_mode", "%s", observes ? "observe" : "enforce");
    fact_set(facts, "version", "%s", PACKAGE_VERSION);
    fact_set(facts, "daemon_version", "%s", daemon->version);
    fact_set(facts, "daemon_table", "%s", daemon->table);
    if (observes != daemon->observes)
        exam_note(
            exam, "not-reloaded", FAULT,
            "milter-moved runs with mode = \"${mode}\", and ${mode_file} has \"${other_mode}\".",
            "${reload_daemon}");
    tell_mend(exam);
    if (*daemon->table != '\0' && strcmp(daemon->table, "good") != 0)
        exam_note(exam, "daemon-table", FAULT, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND);
    if (*daemon->version != '\0' && strcmp(daemon->version, PACKAGE_VERSION) != 0)
        exam_note(exam, "daemon-version", NOTE,
                  "milter-moved is version ${daemon_version}, and movedctl is ${version}.",
                  "${restart_daemon}");
}

static enum socket_state report_socket(struct exam *exam, const char *key, const char *socket,
                                       const struct error *err)
{
    fact_set(&exam->facts, "silent_key", "%s", key);
    fact_set(&exam->facts, "silent_file", "%s", file_with(exam, key));
    fact_set(&exam->facts, "silent_socket", "%s", socket);
    fact_set(&exam->facts, "silent_error", "%s", err->text);
    if (err->status == EX_NOPERM)
        exam_note(exam, "daemon-unknown", UNSEEN,
                  "This user may not ask milter-moved itself: ${silent_error}.",
                  "Run movedctl doctor as root.");
    else if (err->status == EX_PROTOCOL)
        exam_note(
            exam, "daemon-other", DOWN, "${silent_error}",
            "In ${silent_file} set ${silent_key} to a socket of its own, and:\n${restart_daemon}");
    else
        exam_note(exam, "daemon-down", DOWN, DAEMON_DOWN_WHY, DAEMON_DOWN_MEND);
    return err->status == EX_NOPERM ? SOCKET_UNSEEN : SOCKET_SILENT;
}

static enum socket_state ask_lookups(struct exam *exam)
{
    const char *socket = exam->settings->lookup_socket;
    struct error err;
    if (*socket == '\0') {
        exam_note(
            exam, "no-lookups", FAULT,
            "lookup_socket is \"\" in ${lookup_file}: the mail server cannot ask for mailboxes "
            "that it no longer has, and refuses them itself.",
            "In ${lookup_file} set lookup_socket = "
            "\"unix:/run/milter-moved/lookup.sock\";\n${restart_daemon}\n$ ${attach}");
        return SOCKET_SILENT;
    }
    if (probe_stats(socket, take_stat, &exam->daemon, &err) == 0)
        return SOCKET_ANSWERS;
    return report_socket(exam, "lookup_socket", socket, &err);
}

/* Without a label that its policy knows, an enforcing SELinux lets no mail server open the sockets. */
static void check_selinux(struct exam *exam)
{
    const char *path = endpoint_path(exam->settings->socket), *slash;
    struct error err;
    char *enforce = file_read("/sys/fs/selinux/enforce", &err);
    if (enforce != NULL && *enforce == '1' && path != NULL &&
        (slash = strrchr(path, '/')) != NULL) {
        fact_set(&exam->facts, "folder", "%.*s", (int)(slash - path), path);
        exam_note(
            exam, "selinux", NOTE,
            "SELinux is enforcing: the mail server opens the sockets in ${folder} only if they "
            "have a label that its policy allows.",
            "If it is denied (ausearch -m AVC), give them the label of a milter's sockets:\n"
            "$ semanage fcontext -a -t dkim_milter_data_t '${folder}(/.*)?'\n"
            "$ restorecon -R ${folder}");
    }
    free(enforce);
}

void exam_daemon(struct exam *exam)
{
    const struct settings *settings = exam->settings;
    struct daemon_state *daemon = &exam->daemon;
    struct error err;
    check_selinux(exam);
    fact_set(&exam->facts, "mode_file", "%s", file_with(exam, "mode"));
    fact_set(&exam->facts, "lookup_file", "%s", file_with(exam, "lookup_socket"));
    int session = probe_milter_open(settings->socket, &err);
    daemon->observes = settings->mode == MODE_OBSERVE;
    daemon->milter =
        session >= 0 ? SOCKET_ANSWERS : report_socket(exam, "socket", settings->socket, &err);
    probe_milter_close(session);
    daemon->lookups = ask_lookups(exam);
    if (daemon->lookups == SOCKET_ANSWERS)
        compare(exam);
    if (daemon->observes && *settings->lookup_socket != '\0')
        exam_note(exam, "observing", NOTE,
                  "mode = \"observe\": milter-moved logs what it would answer, and refuses "
                  "nothing; each recipient gets what it would get without it.",
                  "Once the log is as it should be, in ${mode_file} set mode = \"enforce\";\n"
                  "${reload_daemon}");
}

bool exam_daemon_differs(struct exam *exam)
{
    char request[ADDRESS_TEXT_SIZE + 16], answer[2048];
    struct error err;
    if (exam->daemon.observes || exam->daemon.lookups != SOCKET_ANSWERS)
        return false;
    snprintf(request, sizeof request, "listed %s", exam->asked->recipient);
    int session = probe_milter_open(exam->settings->socket, &err);
    bool has_answer = session >= 0 && probe_lookup(exam->settings->lookup_socket, request, answer,
                                                   sizeof answer, &err) == 0;
    probe_milter_close(session);
    const char *wrong = exam->asked->expected.verdict == VERDICT_CONTINUE ? "OK " : "NOTFOUND";
    return has_answer && strncmp(answer, wrong, strlen(wrong)) == 0;
}
