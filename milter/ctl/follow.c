/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/follow.c: keep the table in step with a store that many hosts share */
#include "config.h"

#include "ctl/through.h"
#include "follow/serve.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_notify(unset, state) ((void)0)
#endif

static void on_line(const char *line)
{
    fprintf(stderr, "movedctl: follow: %s\n", line);
}

static void on_ready(void)
{
    sd_notify(0, "READY=1");
}

static void on_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

/* If the store hangs, the first step may take longer than the mail server should wait. */
static void on_alarm(int number)
{
    (void)number;
    on_ready();
}

static int serve(const struct follow *follow, struct error *err)
{
    const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    int start_wait = follow->settings->source.start_wait;
    sigaction(SIGALRM, &action, NULL);
    if (start_wait == 0)
        on_ready();
    alarm((unsigned)start_wait);
    return follow_serve(follow, err);
}

/* ---- --status */

static int print_object(const struct follow_state *state, const char *contact, struct error *err)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:I, s:I, s:s?, s:I, s:I, s:I, s:o}", "state", state_name(state->status),
        "reason", state->reason, "version", (json_int_t)state->version, "store_version",
        (json_int_t)state->store_version, "contact", *contact == '\0' ? NULL : contact, "entries",
        (json_int_t)state->entries, "held", (json_int_t)state->held, "skipped_count",
        (json_int_t)state->skipped.count, "skipped", skipped_list(&state->skipped));
    return print_json_line(object, JSON_INDENT(2), err);
}

static void print_lines(const struct follow_state *state, const char *contact)
{
    const char *row;
    json_t *why;
    printf("state    %s\n", state_name(state->status));
    if (state->reason[0] != '\0')
        print_say("reason   %s\n", state->reason);
    if (state->version > 0)
        printf("version  %lld, of %lld in the store\n", (long long)state->version,
               (long long)state->store_version);
    printf("contact  %s\n", *contact == '\0' ? "never" : contact);
    printf("entries  %zu\n", state->entries);
    if (state->held > 0)
        printf("held     %zu old addresses would go\n", state->held);
    if (state->skipped.count > 0)
        printf("skipped  %zu\n", state->skipped.count);
    json_object_foreach(state->skipped.rows, row, why)
    {
        struct error old; /* printable, whoever wrote it */
        error_set(&old, 0, "%s", row);
        print_say("  %s: %s\n", old.text, json_is_string(why) ? json_string_value(why) : "");
    }
}

static int status(const struct ctl *ctl, const struct follow *follow, struct error *err)
{
    struct follow_state state;
    char contact[TIMESTAMP_TEXT_SIZE];
    int max_lag = ctl->settings->source.max_lag, status = -1,
        rc = follow_status(follow, &state, err);
    if (rc == 0)
        status = state_exit_status(&state, time(NULL), max_lag);
    /* A follower that has ended no longer writes the state, and so only its age tells. */
    if (status == EX_UNAVAILABLE && state.status != FOLLOW_DOWN) {
        state.status = FOLLOW_DOWN;
        snprintf(state.reason, sizeof state.reason,
                 "no contact with the store for more than %d s (source.max_lag): is movedctl "
                 "follow running?",
                 max_lag);
    }
    timestamp_format(contact, sizeof contact, state.contact);
    if (rc == 0 && ctl->options.json)
        rc = print_object(&state, contact, err);
    else if (rc == 0)
        print_lines(&state, contact);
    state_clear(&state);
    return rc == 0 ? status : -1;
}

/* ---- what else is asked for */

static int accept_for_all(const struct ctl *ctl, struct error *err)
{
    struct ctl_author author;
    struct store *store;
    if (*ctl->settings->source.write == '\0')
        return error_set(err, EX_NOPERM,
                         "source.write is not set, so this host may not write to the store: set "
                         "it, or as moved_admin run SELECT moved_accept(); or use --accept --here");
    if (through_connect(&store, ctl, err) != 0)
        return -1;
    ctl_author(ctl, &author);
    int rc = store_accept(store, author.user, author.program, err);
    store_free(store);
    if (rc == 0)
        print_say("accepted for all hosts\n");
    return rc;
}

/* Returns the exit status of the state after one step. */
static int step(const struct ctl *ctl, const struct follow *follow, struct error *err)
{
    struct follow_state state;
    const struct options *options = &ctl->options;
    if (follow_once(follow, options->resync, options->accept, &state, err) != 0)
        return -1;
    int status = state_exit_status(&state, time(NULL), ctl->settings->source.max_lag);
    state_clear(&state);
    return status;
}

static int detach(const struct follow *follow, struct error *err)
{
    if (follow_detach(follow, err) != 0)
        return -1;
    if (*follow->settings->source.connect != '\0')
        ctl_warn("source.connect is still set: remove it, or movedctl follow and each change go to "
                 "the store again");
    return 0;
}

static int check_options(const struct options *options, struct error *err)
{
    int modes =
        options->once + options->status + options->accept + options->resync + options->detach;
    if (modes > 1)
        return error_set(err, EX_USAGE,
                         "--once, --status, --accept, --resync, --detach: use one of them");
    if (options->here && !options->accept)
        return error_set(err, EX_USAGE, "--here requires --accept: use both");
    if (options->json && !options->status)
        return error_set(err, EX_USAGE, "--json requires --status: use both");
    return 0;
}

/* Under systemd, LoadCredential= provides a copy, since this user may not read the original. */
static const char *find_passfile(const char *passfile)
{
    static char path[PATH_MAX];
    const char *folder = getenv("CREDENTIALS_DIRECTORY"), *name = strrchr(passfile, '/');
    if (folder == NULL || name == NULL)
        return passfile;
    snprintf(path, sizeof path, "%s%s", folder, name);
    return access(path, R_OK) == 0 ? path : passfile;
}

static int run_follow(struct ctl *ctl, char **args, struct error *err)
{
    const struct source_settings *source = &ctl->settings->source;
    struct follow follow = {.settings = ctl->settings,
                            .path = ctl->path,
                            .passfile = find_passfile(source->passfile),
                            .folder = ctl_temporary_folder(ctl),
                            .say = on_line,
                            .ready = on_ready,
                            .alive = on_alive};
    (void)args;
    if (check_options(&ctl->options, err) != 0)
        return -1;
    if (ctl->options.detach)
        return detach(&follow, err);
    if (*source->connect == '\0')
        return error_set(err, EX_CONFIG,
                         "source.connect is not set: write the connection string of the store to "
                         "follow");
    if (ctl->options.status)
        return status(ctl, &follow, err);
    if (ctl->options.accept && !ctl->options.here)
        return accept_for_all(ctl, err);
    ctl_find_owner(ctl->settings, &follow.owner, &follow.group);
    if (ctl->options.once || ctl->options.resync || ctl->options.accept)
        return step(ctl, &follow, err);
    return serve(&follow, err);
}

const struct command command_follow = {
    .name = "follow",
    .usage = "follow [OPTION...]",
    .summary = "Keep the table in step with a store that many hosts share",
    .details = "Follows the PostgreSQL database that source.connect names, until it is stopped.\n"
               "While the store cannot be reached, the table answers as it is.\n"
               "\n"
               "  --once          take one step, and exit\n"
               "  --status        print the state, and exit with 0 in step, 1 rows skipped, 65\n"
               "                  held, 66 never synced, 69 no contact for source.max_lag, 75\n"
               "                  comparing, behind or down for less, 78 refused\n"
               "  --json          print the status as an object\n"
               "  --accept        let the removals that are held take effect: for all hosts,\n"
               "                  through source.write\n"
               "  --here          with --accept: for this host alone\n"
               "  --resync        compare all entries now\n"
               "  --detach        forget the store; the table keeps its entries\n",
    .example = "movedctl follow --status",
    .takes = "once status accept here resync detach json",
    .run = run_follow,
};
