/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/postfix_danger.h"

#include "doctor/postfix_mend.h"
#include "mta/files.h"
#include "mta/postfix/postfix_ours.h"
#include "mta/postfix/postfix_socket.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool danger_map_alone(const struct subject *subject)
{
    struct postfix_milter us;
    if (subject->view == NULL || subject->service < 0 ||
        postfix_has_us(subject->view, subject->service, &us) ||
        !(postfix_asks(subject->view, subject->service, ":listed") ||
          postfix_asks(subject->view, subject->service, ":refused")))
        return false;
    mend_drop_maps(subject, postfix_is_our_map);
    char *maps = strdup(fact_get(subject->facts, "drop"));
    mend_drop_restrictions(subject, postfix_is_our_map);
    fact_set(subject->facts, "drop", "%s%s", maps == NULL ? "" : maps,
             fact_get(subject->facts, "drop"));
    free(maps);
    return true;
}

/* "pipemap:{$moved_listed, static:OK}" with nothing in place of the first map. */
static bool is_open_pipe(const struct postfix_view *view, int service, const char *item)
{
    (void)view, (void)service;
    return strncmp(item, "pipemap:{", 9) == 0 && strstr(item, "moved_") != NULL;
}

bool danger_permits_all(const struct subject *subject)
{
    for (size_t i = 0; i < POSTFIX_RESTRICTIONS; i++)
        if (strstr(postfix_of_service(subject->view, subject->service, postfix_restrictions[i]),
                   "pipemap:{,") != NULL) {
            fact_set(subject->facts, "list", "%s", postfix_restrictions[i]);
            mend_drop_restrictions(subject, is_open_pipe);
            return true;
        }
    return false;
}

/* Looks for what is ours in a file of the configuration: there names the first of it, and unknown what detach refuses to
 * take out. */
static void find_left(const struct postfix_view *view, const char *name, const char *socket,
                      struct error *there, struct error *unknown)
{
    char path[PATH_MAX];
    struct error err;
    struct cf cf = {.text = NULL};
    snprintf(path, sizeof path, "%s/%s", view->postfix.dir, name);
    char *text = file_read(path, &err);
    if (text != NULL && cf_read(&cf, text) == 0 && ours_check_gone(&cf, path, socket, there) != 0) {
        bool is_main = strcmp(name, "main.cf") == 0;
        (void)(is_main ? ours_strip_main(&cf, &view->postfix, &err) : ours_strip_master(&cf));
        (void)ours_check_gone(&cf, path, socket, unknown);
    }
    free(text);
    cf_free(&cf);
}

/* No service asks the milter, but something of ours is there. */
bool danger_left_behind(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    const char *relative = postfix_queue_path(&view->postfix, view->lookups);
    const char *socket = relative == NULL ? view->lookups : relative;
    struct error there = {.text = ""}, unknown = {.text = ""};
    struct postfix_milter us;
    for (int service = 0; service < (int)view->service_count; service++)
        if (postfix_has_us(view, service, &us))
            return false;
    find_left(view, "master.cf", socket, &there, &unknown);
    find_left(view, "main.cf", socket, &there, &unknown);
    const struct error *found = *unknown.text == '\0' ? &there : &unknown;
    const char *end = strstr(found->text, " stands ");
    fact_set(subject->facts, "left", "%.*s", end == NULL ? 0 : (int)(end - found->text),
             found->text);
    fact_set(subject->facts, "by_hand", "%s",
             *unknown.text == '\0' ? "" : "Take it out there, with what belongs to it. Then:\n");
    return *there.text != '\0';
}

/* The restrictions let a stranger pass. */
bool danger_relays(const struct subject *subject)
{
    static const char key[] = "mynetworks";
    struct network network;
    struct error err;
    char item[64];
    if (!subject->asked->abroad || subject->view == NULL)
        return false;
    mend_set(subject, "smtpd_relay_restrictions",
             "permit_mynetworks permit_sasl_authenticated reject_unauth_destination");
    const char *at = postfix_of_service(subject->view, subject->service, key);
    for (size_t length; *at != '\0'; at += length) {
        at += strspn(at, ", \t");
        length = strcspn(at, ", \t");
        snprintf(item, sizeof item, "%.*s", (int)length, at);
        if (network_parse(&network, item, &err) == 0 &&
            network_contains(&network, 1, &doctor_stranger))
            mend_set(subject, key, "127.0.0.0/8 [::1]/128");
    }
    return true;
}
